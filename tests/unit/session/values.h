// Short ways to write the values the session's tests are about.
#pragma once

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/address.h"

namespace vpntun::session {

inline IpPrefix prefix(const std::string& text) {
  const auto parsed = IpPrefix::parse(text);
  if (!parsed) throw std::invalid_argument(text);
  return *parsed;
}
inline std::vector<IpPrefix> prefixes(std::initializer_list<const char*> texts) {
  std::vector<IpPrefix> parsed;
  for (const char* text : texts) parsed.push_back(prefix(text));
  return parsed;
}
inline IpAddress address(const std::string& text) {
  const auto parsed = IpAddress::parse(text);
  if (!parsed) throw std::invalid_argument(text);
  return *parsed;
}
inline Endpoint endpoint(const std::string& text) {
  const auto parsed = Endpoint::parse(text);
  if (!parsed) throw std::invalid_argument(text);
  return *parsed;
}

}  // namespace vpntun::session

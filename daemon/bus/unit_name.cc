#include "bus/unit_name.h"

#include <fmt/format.h>

namespace vpntun::bus {

namespace {

bool is_plain(char letter) noexcept {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         (letter >= '0' && letter <= '9') || letter == ':' || letter == '_' || letter == '.';
}

}  // namespace

std::string unit_name(std::string_view tunnel) {
  std::string instance;
  for (const char letter : tunnel) {
    if (letter == '/')
      instance += '-';
    else if (is_plain(letter) && !(letter == '.' && instance.empty()))
      instance += letter;
    else
      instance += fmt::format("\\x{:02x}", static_cast<unsigned char>(letter));
  }
  return "vpntund@" + instance + ".service";
}

}  // namespace vpntun::bus

// Any bytes as a profile: a profile or at least one error, and every finding points into the text.
#include <cstdint>
#include <string_view>

#include "findings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vpntun::config;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_loaded(load_text(text, "fuzz.toml", "fuzz"), text);
  return 0;
}

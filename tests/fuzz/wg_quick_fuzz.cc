// Any bytes as a configuration of wg-quick: a profile or at least one error, every finding points
// into the text, and what was read can be written and means the same then; as TOML too, unless a
// profile may not say it.
#include "config/wg_quick.h"

#include <cstdint>
#include <string_view>

#include "config/write_profile.h"
#include "findings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vpntun::config;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Loaded loaded = parse_wg_quick(text, "fuzz.conf", "fuzz");
  check_loaded(loaded, text);
  if (!loaded.profile) return 0;
  const WgQuickText written = to_wg_quick(*loaded.profile);
  require(written.unsaid.empty());
  require(parse_wg_quick(written.text, "fuzz.conf", "fuzz").profile == loaded.profile);
  const std::string toml = to_toml(*loaded.profile);
  const Loaded again = load_text(toml, loaded.profile->path, "fuzz");
  require(!again.profile || again.profile == loaded.profile);
  return 0;
}

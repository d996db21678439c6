// Any bytes as a profile: a profile or at least one error, and every finding points into the text.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/finding.h"

namespace {

using namespace vpntun::config;

void require(bool condition) {
  if (!condition) std::abort();
}

std::size_t characters_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string_view line_of(std::string_view text, std::uint32_t number) {
  for (std::uint32_t i = 1; i < number; ++i) {
    const std::size_t end = text.find('\n');
    require(end != std::string_view::npos);
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

void require_inside(const Finding& finding, std::string_view text) {
  require(!finding.code.empty() && !finding.message.empty() && finding.length >= 1);
  if (finding.line == 0) return;
  const std::size_t characters = characters_of(line_of(text, finding.line));
  require(finding.column >= 1 && finding.column <= characters + 1);
  require(finding.column + finding.length <= characters + 2);
  require(finding.mark <= characters_of(finding.source_line));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Loaded loaded = load_text(text, "fuzz.toml", "fuzz");
  const bool errors =
      std::any_of(loaded.findings.begin(), loaded.findings.end(),
                  [](const Finding& each) { return each.severity == Severity::kError; });
  require(loaded.profile.has_value() != errors);
  for (const Finding& finding : loaded.findings) require_inside(finding, text);
  require(errors != summary(loaded.findings).empty());
  to_json(loaded.findings);
  const std::string shown = to_text(loaded.findings, false);
  require(std::none_of(shown.begin(), shown.end(),
                       [](char c) { return c >= 0 && c < ' ' && c != '\n'; }));
  return 0;
}

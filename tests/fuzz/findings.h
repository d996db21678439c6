// What holds for the findings of any text, whatever form it is read in.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "config/finding.h"

namespace vpntun::config {

// Ends the run as a finding.
inline void require(bool holds) {
  if (!holds) std::abort();
}

inline std::size_t characters_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

inline std::string_view line_of(std::string_view text, std::uint32_t number) {
  for (std::uint32_t i = 1; i < number; ++i) {
    const std::size_t end = text.find('\n');
    require(end != std::string_view::npos);
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

// It points into the text.
inline void require_inside(const Finding& finding, std::string_view text) {
  require(!finding.code.empty() && !finding.message.empty() && finding.length >= 1);
  if (finding.line == 0) return;
  const std::size_t characters = characters_of(line_of(text, finding.line));
  require(finding.column >= 1 && finding.column <= characters + 1);
  require(finding.column + finding.length <= characters + 2);
  require(finding.mark <= characters_of(finding.source_line));
}

// A profile or at least one error, and findings that can be shown.
inline void check_loaded(const Loaded& loaded, std::string_view text) {
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
}

}  // namespace vpntun::config

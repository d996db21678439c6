#include "config/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/log.h"

namespace vpntun::config {

void Report::add(Code code, const Spot& spot, std::string message, Hint hint) {
  const CodeRow& row = code_row(code);
  const Place place = source_.inside(spot.place);
  Finding finding;
  finding.severity = row.name.starts_with('E') ? Severity::kError : Severity::kWarning;
  finding.file = file_;
  finding.line = place.line;
  finding.column = place.column;
  finding.length = place.length;
  finding.code = row.name;
  finding.key = spot.key;
  finding.message = std::move(message);
  finding.detail = std::move(hint.detail);
  finding.help = std::move(hint.help);
  if (finding.severity == Severity::kError) ++errors_;
  findings_.push_back(std::move(finding));
}

std::vector<Finding> Report::take() {
  std::stable_sort(findings_.begin(), findings_.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
  if (has_errors() && findings_.size() > kMaxShown) {
    const std::size_t hidden = findings_.size() - kMaxShown;
    findings_.resize(kMaxShown);
    const Finding last = findings_.back();
    add(Code::kTooManyFindings, {{last.line, last.column, last.length}, ""},
        fmt::format("{} more findings are not shown", hidden));
  }
  for (Finding& finding : findings_) {
    if (finding.line == 0) continue;
    Excerpt excerpt = source_.excerpt({finding.line, finding.column, finding.length});
    finding.source_line = std::move(excerpt.text);
    finding.mark = excerpt.mark;
  }
  errors_ = 0;
  return std::exchange(findings_, {});
}

std::string quoted(std::string_view text) {
  return fmt::format("\"{}\"", escaped(text, 80));
}

}  // namespace vpntun::config

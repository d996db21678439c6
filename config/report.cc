#include "config/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/log.h"

namespace vpntun::config {

void Report::add(Code code, const Spot& spot, std::string message, Hint hint) {
  const CodeRow& row = code_row(code);
  Finding finding;
  finding.severity = row.name.starts_with('E')   ? Severity::kError
                     : row.name.starts_with('W') ? Severity::kWarning
                                                 : Severity::kNote;
  finding.file = file_;
  finding.line = spot.place.line;
  finding.column = spot.place.column;
  finding.length = spot.place.length;
  finding.code = row.name;
  finding.key = spot.key;
  finding.message = std::move(message);
  finding.detail = std::move(hint.detail);
  finding.help = std::move(hint.help);
  if (finding.severity == Severity::kError) ++errors_;
  findings_.push_back(std::move(finding));
  // Hostile text may be wrong in a hundred thousand places.
  if (findings_.size() >= 4 * kMaxShown) drop_last();
}

void Report::drop_last() {
  std::stable_sort(findings_.begin(), findings_.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
  if (findings_.size() <= kMaxShown) return;
  hidden_ += findings_.size() - kMaxShown;
  findings_.resize(kMaxShown);
}

std::vector<Finding> Report::take() {
  drop_last();
  if (hidden_ > 0) {
    const Finding last = findings_.back();
    add(has_errors() ? Code::kMoreErrors : Code::kMoreWarnings,
        {{last.line, last.column, last.length}, ""},
        fmt::format("{} more findings are not shown", hidden_));
  }
  Line line;
  for (Finding& finding : findings_) {
    if (finding.line == 0) continue;
    if (finding.line != line.number) line = source_.line(finding.line);
    const Place place = inside(line, {finding.line, finding.column, finding.length});
    finding.line = place.line;
    finding.column = place.column;
    finding.length = place.length;
    Excerpt shown = excerpt(line, place);
    finding.source_line = std::move(shown.text);
    finding.mark = shown.mark;
  }
  errors_ = 0;
  hidden_ = 0;
  return std::exchange(findings_, {});
}

std::string in_quotes(std::string_view text) {
  return fmt::format("\"{}\"", escaped(text, 80));
}

}  // namespace vpntun::config

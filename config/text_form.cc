// The findings as text for people and as JSON for programs.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "config/finding.h"
#include "config/source_text.h"

namespace vpntun::config {
namespace {

// ECMA-48 "select graphic rendition", or nothing.
struct Colours {
  explicit Colours(bool colour) {
    if (!colour) return;
    bold = "\x1b[1m";
    red = "\x1b[1;31m";
    yellow = "\x1b[1;33m";
    blue = "\x1b[34m";
    off = "\x1b[0m";
  }
  std::string_view of(Severity severity) const {
    if (severity == Severity::kNote) return blue;
    return severity == Severity::kError ? red : yellow;
  }
  std::string_view bold, red, yellow, blue, off;
};

std::string_view word_of(Severity severity) {
  if (severity == Severity::kNote) return "note";
  return severity == Severity::kError ? "error" : "warning";
}

std::string position_of(const Finding& finding) {
  const std::string file = escaped(finding.file, 4096);
  return finding.line == 0 ? file : fmt::format("{}:{}:{}", file, finding.line, finding.column);
}

std::string subject_of(const Finding& finding) {
  return finding.key.empty() ? finding.message
                             : fmt::format("{}: {}", finding.key, finding.message);
}

std::string excerpt_of(const Finding& finding, const Colours& colours) {
  const std::size_t shown = count_characters(finding.source_line);
  const std::size_t rest = shown > finding.mark ? shown - finding.mark : 1;
  const std::size_t marked = std::clamp<std::size_t>(finding.length, 1, rest);
  const std::string_view tone = colours.of(finding.severity);
  const std::string space = finding.detail.empty() ? "" : " ";
  return fmt::format("{0}{2:5} |{1} {3}\n{0}      |{1} {4:{5}}{6}{7:^>{8}}{9}{10}{1}\n",
                     colours.blue, colours.off, finding.line, finding.source_line, "", finding.mark,
                     tone, "", marked, space, finding.detail);
}

std::string text_of(const Finding& finding, const Colours& colours) {
  const std::string_view tone = colours.of(finding.severity);
  std::string text =
      fmt::format("{}{}:{} {}{}:{} {}\n", colours.bold, position_of(finding), colours.off, tone,
                  word_of(finding.severity), colours.off, subject_of(finding));
  if (finding.line != 0) text += excerpt_of(finding, colours);
  if (!finding.help.empty()) text += fmt::format("      = help: {}\n", finding.help);
  return text + fmt::format("      = code: {}\n", finding.code);
}

std::size_t count(const std::vector<Finding>& findings, Severity severity) {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(),
                    [severity](const Finding& each) { return each.severity == severity; }));
}

std::string counted(std::size_t number, std::string_view noun) {
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

}  // namespace

std::string to_text(const std::vector<Finding>& findings, bool colour) {
  const Colours colours(colour);
  std::string text;
  for (const Finding& finding : findings) {
    if (!text.empty()) text += '\n';
    text += text_of(finding, colours);
  }
  return text;
}

std::string to_json(const std::vector<Finding>& findings) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    nlohmann::ordered_json each;
    each["severity"] = word_of(finding.severity);
    each["file"] = finding.file;
    each["line"] = finding.line;
    each["column"] = finding.column;
    each["length"] = finding.length;
    each["code"] = finding.code;
    each["key"] = finding.key;
    each["message"] = finding.message;
    each["detail"] = finding.detail;
    each["help"] = finding.help;
    each["source_line"] = finding.source_line;
    list.push_back(std::move(each));
  }
  nlohmann::ordered_json document;
  document["schema"] = "vpnctl.check/1";
  document["findings"] = std::move(list);
  // A file name may be any bytes; JSON may not.
  return document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string line_of(const Finding& finding) {
  return fmt::format("{}: {}", position_of(finding), subject_of(finding));
}

std::string summary(const std::vector<Finding>& findings) {
  const auto first = std::find_if(findings.begin(), findings.end(), [](const Finding& each) {
    return each.severity == Severity::kError;
  });
  if (first == findings.end()) return "";
  const std::string line = line_of(*first);
  const std::size_t others = count(findings, Severity::kError) - 1;
  return others == 0 ? line : fmt::format("{} (and {})", line, counted(others, "more error"));
}

std::string count_line(const std::vector<Finding>& findings) {
  return fmt::format("{}, {}.", counted(count(findings, Severity::kError), "error"),
                     counted(count(findings, Severity::kWarning), "warning"));
}

}  // namespace vpntun::config

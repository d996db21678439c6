#include "ctl/lab/story.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <string_view>

namespace vpntun::lab {
namespace {

constexpr std::size_t kWidth = 100;  // characters of a line on a terminal

void print_wrapped(std::string_view indent, std::string_view text) {
  std::string line(indent);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (line.size() > indent.size() && line.size() + 1 + end > kWidth) {
      fmt::print("{}\n", line);
      line = std::string(indent);
    }
    if (line.size() > indent.size()) line += ' ';
    line += text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

std::string indented(const std::string& lines, std::string_view indent) {
  std::string all;
  std::string_view rest = lines;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    all += fmt::format("{}{}\n", indent, rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return all;
}

}  // namespace

Story::Story(bool wait)
    : wait_(wait && ::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0) {}

void Story::title(const std::string& number, const std::string& text) {
  fmt::print("\n== Task {}: {}\n", number, text);
  std::fflush(stdout);
  markdown_ += fmt::format("# Task {}: {}\n", number, text);
}

void Story::step(const std::string& text) {
  if (wait_) {
    fmt::print("   (Enter) ");
    std::fflush(stdout);
    std::string ignored;
    std::getline(std::cin, ignored);
  }
  ++steps_;
  fmt::print("\n{}. {}\n", steps_, text);
  std::fflush(stdout);
  markdown_ += fmt::format("\n## {}. {}\n", steps_, text);
}

void Story::say(const std::string& text) {
  print_wrapped("   ", text);
  markdown_ += fmt::format("\n{}\n", text);
}

void Story::show(const std::string& lines) {
  fmt::print("{}", indented(lines, "     "));
  std::fflush(stdout);
  markdown_ += "\n" + indented(lines, "    ");
}

void Story::seen(const std::string& text) {
  fmt::print("   seen: {}\n", text);
  std::fflush(stdout);
  markdown_ += fmt::format("\n- **Seen:** {}\n", text);
}

void Story::missing(const std::string& text) {
  fmt::print("   MISSING: {}\n", text);
  std::fflush(stdout);
  markdown_ += fmt::format("\n- **Missing:** {}\n", text);
}

}  // namespace vpntun::lab

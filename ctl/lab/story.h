// What a task tells: printed as it happens, and kept as Markdown. Callers: stage, tasks. Thread:
// the only one.
#pragma once

#include <string>

namespace vpntun::lab {

class Story {
 public:
  // wait: stop for Enter before each step (where standard input and output are a terminal).
  explicit Story(bool wait);

  void title(const std::string& number, const std::string& text);
  // What is done now; the steps are numbered.
  void step(const std::string& text);
  // Why it is so.
  void say(const std::string& text);
  // Something of the machine: packets, output, routes; lines as they are.
  void show(const std::string& lines);
  // An observation of the task that was made.
  void seen(const std::string& text);
  void missing(const std::string& text);

  const std::string& markdown() const noexcept { return markdown_; }

 private:
  bool wait_;
  int steps_ = 0;
  std::string markdown_;
};

}  // namespace vpntun::lab

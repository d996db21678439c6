// Lets the log's folded repeats out when they are due, and the last of them at the end. One of the
// loop's owner for as long as it runs. Thread: control.
#pragma once

#include <optional>

#include "service/loop.h"

namespace vpntun::service {

class FoldedLines {
 public:
  explicit FoldedLines(Loop& loop);
  ~FoldedLines();
  FoldedLines(const FoldedLines&) = delete;
  FoldedLines& operator=(const FoldedLines&) = delete;

 private:
  void plan();
  void let_out();

  Loop& loop_;
  std::optional<Instant> planned_;
  EventSource timer_;
  EventSource after_turn_;
};

}  // namespace vpntun::service

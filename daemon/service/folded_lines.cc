#include "service/folded_lines.h"

#include "base/log.h"

namespace vpntun::service {

FoldedLines::FoldedLines(Loop& loop)
    : loop_(loop), after_turn_(loop.add_post([this] { plan(); })) {}

FoldedLines::~FoldedLines() {
  log::let_out_all_folded();
}

// Anything called back in this turn may have logged.
void FoldedLines::plan() {
  const std::optional<Instant> due = log::folded_due();
  if (due == planned_) return;
  planned_ = due;
  timer_ = {};
  if (due) timer_ = loop_.add_timer(*due, [this] { let_out(); });
}

void FoldedLines::let_out() {
  planned_.reset();  // to be planned again, whatever is left
  log::let_out_folded(loop_.now());
}

}  // namespace vpntun::service

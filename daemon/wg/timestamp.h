// TAI64N labels (paper, section 5.1; cr.yp.to/libtai/tai64.html). Pure.
#pragma once

#include <chrono>

#include "wg/messages.h"

namespace vpntun::wg {

// unix_time: since 1970. The low 24 bits of the nanoseconds are cleared, so that the label does not
// show how long something took.
Timestamp timestamp_of(std::chrono::nanoseconds unix_time) noexcept;

}  // namespace vpntun::wg

// The journal as the place of the log: sd_journal_sendv(3) with the fields of each line. Called by
// main. Thread: any.
#pragma once

#include "base/log.h"

namespace vpntun::service {

// None unless the journal reads this process's standard error ($JOURNAL_STREAM, systemd.exec(5)):
// who sends that elsewhere wants to see the lines there.
log::Journal journal_of_stderr();

}  // namespace vpntun::service

// Journal entries for people and for programs, and the times of --since. Pure but for the time
// zone. Called by logs.
#pragma once

#include <cstdint>
#include <string>

#include "ctl/journal.h"
#include "ctl/print.h"

namespace vpntun::ctl {

// "Jan 31 12:00:00 vpntund[77]: health: healthy", in the colour of its priority.
std::string entry_text(const JournalEntry& entry, const Style& style);
// The same as one line of JSON; what an entry does not have is left out.
std::string entry_json(const JournalEntry& entry);

// "90s", "10m", "2h", "1d" before now; "12:00", "12:00:30" today; "2026-01-31", "2026-01-31 12:00"
// or with seconds: microseconds since 1970. Throws Failure (usage) for anything else.
std::uint64_t time_of(const std::string& text, std::uint64_t now_usec);

}  // namespace vpntun::ctl

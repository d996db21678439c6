// The journal's entries about one tunnel, oldest first, by sd-journal(3). Called by logs. Thread:
// main.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/events.h"

struct sd_journal;

namespace vpntun::ctl {

// As the journal has it: nothing is escaped.
struct JournalEntry {
  std::uint64_t time_usec = 0;  // since 1970
  log::Level level = log::Level::kInfo;
  std::string identifier;  // "vpntund", "systemd"
  std::string pid;
  std::string text;
  std::string event;  // VPNTUN_EVENT; empty, as those below, where the entry has none
  std::string peer;
  std::string reason;
  std::string endpoint;
  std::string interface;
  std::string message_id;
};

enum class JournalAccess {
  kAllowed,
  kForbidden,  // there is one, and this user may not read it
  kNone,       // nothing writes a journal here
};
// folders: where journald keeps the journals of machines, /run/log/journal and /var/log/journal.
JournalAccess journal_access(const std::vector<std::string>& folders, const std::string& machine);

class Journal {
 public:
  // What the session's unit and systemd about it, and the manager about the tunnel have written.
  // Throws Failure when there is no journal, or this user may not read it.
  explicit Journal(const std::string& tunnel);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Where next() begins: so many entries before the end, or at a time (microseconds since 1970).
  void go_back(std::uint64_t entries);
  void go_to(std::uint64_t time_usec);
  // None: no more for now.
  std::optional<JournalEntry> next();

  // Readable when something may have been added; then call take_notice().
  int fd() const noexcept { return fd_; }
  void take_notice();

 private:
  std::string field(const char* name) const;

  std::unique_ptr<sd_journal, void (*)(sd_journal*)> journal_;
  bool at_next_ = false;  // the cursor is on the entry that next() is to give
  int fd_ = -1;
};

}  // namespace vpntun::ctl

#include "ctl/journal.h"

#include <fmt/format.h>
#include <systemd/sd-id128.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <utility>

#include "ctl/client.h"
#include "dbus/names.h"

namespace vpntun::ctl {

namespace {

const std::vector<std::string> kFolders{"/run/log/journal", "/var/log/journal"};

int checked(int result, const char* attempted) {
  if (result < 0)
    throw Failure(1, fmt::format("cannot {} the journal: {}", attempted, std::strerror(-result)));
  return result;
}

std::string machine_id() {
  sd_id128_t id{};
  if (sd_id128_get_machine(&id) < 0) return "none";
  std::array<char, SD_ID128_STRING_MAX> text{};
  return sd_id128_to_string(id, text.data());
}

void check_access() {
  switch (journal_access(kFolders, machine_id())) {
    case JournalAccess::kAllowed:
      return;
    case JournalAccess::kForbidden:
      throw Failure(
          1, "you may not read the journal",
          "You need to be in group systemd-journal or adm, or root: try again with sudo.");
    case JournalAccess::kNone:
      throw Failure(1, "there is no journal on this machine: systemd-journald does not run",
                    "Without it vpntund writes its lines to its standard error.");
  }
}

}  // namespace

JournalAccess journal_access(const std::vector<std::string>& folders, const std::string& machine) {
  JournalAccess access = JournalAccess::kNone;
  for (const std::string& folder : folders) {
    const std::filesystem::path journals = std::filesystem::path(folder) / machine;
    std::error_code unreadable;
    if (!std::filesystem::exists(journals, unreadable)) continue;
    access = JournalAccess::kForbidden;
    for (const auto& entry : std::filesystem::directory_iterator(journals, unreadable))
      if (entry.path().filename().native().starts_with("system") &&
          ::access(entry.path().c_str(), R_OK) == 0)
        return JournalAccess::kAllowed;
  }
  return access;
}

Journal::Journal(const std::string& tunnel) : journal_(nullptr, sd_journal_close) {
  check_access();
  sd_journal* opened = nullptr;
  checked(sd_journal_open(&opened, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM), "open");
  journal_.reset(opened);
  const auto match = [&](const std::string& wanted) {
    checked(sd_journal_add_match(opened, wanted.data(), wanted.size()), "search");
  };
  // Fields that begin with "_" come from journald itself: nobody else can write into these lines.
  const std::string unit = dbus::unit_name(tunnel);
  match("_SYSTEMD_UNIT=" + unit);
  checked(sd_journal_add_disjunction(opened), "search");
  match("_PID=1");
  match("UNIT=" + unit);
  checked(sd_journal_add_disjunction(opened), "search");
  match("_SYSTEMD_UNIT=vpntund.service");
  match("VPNTUN_TUNNEL=" + tunnel);
  fd_ = checked(sd_journal_get_fd(opened), "watch");
}

Journal::~Journal() = default;

void Journal::go_back(std::uint64_t entries) {
  checked(sd_journal_seek_tail(journal_.get()), "search");
  // On the last one next() is not to give, or on the first one it is to give.
  const auto skipped = static_cast<std::uint64_t>(
      checked(sd_journal_previous_skip(journal_.get(), entries + 1), "search"));
  at_next_ = skipped != 0 && skipped <= entries;
}

void Journal::go_to(std::uint64_t time_usec) {
  checked(sd_journal_seek_realtime_usec(journal_.get(), time_usec), "search");
  at_next_ = false;
}

std::optional<JournalEntry> Journal::next() {
  if (!std::exchange(at_next_, false) && checked(sd_journal_next(journal_.get()), "read") == 0)
    return std::nullopt;
  JournalEntry entry;
  checked(sd_journal_get_realtime_usec(journal_.get(), &entry.time_usec), "read");
  const std::string priority = field("PRIORITY");
  if (priority.size() == 1 && priority[0] >= '0' && priority[0] <= '7')
    entry.level = static_cast<log::Level>(priority[0] - '0');
  entry.identifier = field("SYSLOG_IDENTIFIER");
  entry.pid = field("_PID");
  entry.text = field("MESSAGE");
  entry.event = field("VPNTUN_EVENT");
  entry.peer = field("VPNTUN_PEER");
  entry.reason = field("VPNTUN_REASON");
  entry.endpoint = field("VPNTUN_ENDPOINT");
  entry.interface = field("INTERFACE");
  entry.message_id = field("MESSAGE_ID");
  return entry;
}

std::string Journal::field(const char* name) const {
  const void* start = nullptr;
  std::size_t length = 0;
  const std::size_t skipped = std::strlen(name) + 1;  // "NAME="
  if (sd_journal_get_data(journal_.get(), name, &start, &length) < 0 || length < skipped) return {};
  return {static_cast<const char*>(start) + skipped, length - skipped};
}

void Journal::take_notice() {
  checked(sd_journal_process(journal_.get()), "watch");
}

}  // namespace vpntun::ctl

// logs: what the journal has about one tunnel.
#include <fmt/format.h>

#include "base/log.h"
#include "config/profile.h"
#include "ctl/commands.h"
#include "ctl/journal.h"
#include "ctl/log_text.h"
#include "ctl/stop_signal.h"

namespace vpntun::ctl {
namespace {

constexpr std::uint64_t kDefaultLines = 100;
// journald may rotate its files; sd-journal wants to be asked now and then.
constexpr std::chrono::milliseconds kLookAgain{1000};

class Lines {
 public:
  Lines(const Options& options, const Console& console)
      : json_(options.json),
        console_(console),
        since_usec_(options.since.empty() ? 0 : time_of(options.since, now_usec())) {}

  std::uint64_t since_usec() const noexcept { return since_usec_; }
  bool any() const noexcept { return any_; }

  void print_new(Journal& journal) {
    while (const std::optional<JournalEntry> entry = journal.next()) {
      if (entry->time_usec < since_usec_) continue;
      console_.out << (json_ ? entry_json(*entry) : entry_text(*entry, console_.style)) << '\n';
      any_ = true;
    }
    console_.out << std::flush;
  }

 private:
  bool json_;
  const Console& console_;
  std::uint64_t since_usec_;
  bool any_ = false;
};

}  // namespace

int logs(const Options& options, const Console& console) {
  const std::string& name = options.names.front();
  if (!config::is_tunnel_name(name))
    throw Failure(kExitNoSuchTunnel,
                  fmt::format("\"{}\" cannot be the name of a tunnel", escaped(name)));
  Lines lines(options, console);
  const StopSignal stop;
  Journal journal(name);
  if (options.lines || options.since.empty())
    journal.go_back(options.lines.value_or(kDefaultLines));
  else
    journal.go_to(lines.since_usec());
  lines.print_new(journal);
  if (!options.follow && !lines.any() && !options.quiet)
    console.err << fmt::format("The journal has nothing about a tunnel {} that you asked for.\n",
                               name);
  while (options.follow && console.out) {
    if (stop.wait(journal.fd(), kLookAgain) == StopSignal::Woken::kStop) break;
    journal.take_notice();
    lines.print_new(journal);
  }
  return 0;
}

}  // namespace vpntun::ctl

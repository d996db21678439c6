// Where a task is performed: inside a running lab, in its base state. It runs the real programs,
// asks the kernel, captures, and holds what was seen against what must be seen. Callers: run,
// tasks. Thread: the only one; all waiting goes through wait_until, which reads the captures
// meanwhile.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "ctl/lab/captures.h"
#include "ctl/lab/child.h"
#include "ctl/lab/folder.h"
#include "ctl/lab/profiles.h"
#include "ctl/lab/story.h"
#include "os/link.h"
#include "os/netlink.h"
#include "os/netns.h"
#include "os/route.h"
#include "os/sysctl.h"

namespace vpntun::lab {

// What one task may be given.
struct TaskOptions {
  bool step = false;
  std::string client;  // a learner's program instead of ours
  std::string server;
};

// An observation of the task that was not made.
class Missing : public Error {
 public:
  explicit Missing(const std::string& what) : Error(ErrorKind::kFailed, what) {}
};

struct Output {
  int code = 0;
  std::string text;
};

struct Ping {
  int sent = 0;
  int received = 0;
  int ttl = 0;       // of the last answer
  std::string text;  // its answer lines, or why there is none, and the summary
};

// A program that goes on while the task does; killed with this.
class Running {
 public:
  Running(Child child, UniqueFd output) : child_(std::move(child)), output_(std::move(output)) {}
  int fd() const noexcept { return output_.get(); }
  // What it said so far.
  const std::string& text();
  bool ended() {
    text();
    return child_.poll().has_value();
  }
  Child& child() noexcept { return child_; }

 private:
  Child child_;
  UniqueFd output_;
  std::string text_;
};

class Stage {
 public:
  Stage(Folder folder, LabState state, TaskOptions options);

  Story& story() noexcept { return story_; }
  Captures& captures() noexcept { return captures_; }
  const TaskOptions& options() const noexcept { return options_; }

  // Tunnels stopped, base profiles, base routes and switches. Throws Error.
  void reset();

  // Whether it is seen within that time; waits no longer than it must.
  bool comes(const std::function<bool()>& seen, Duration within);
  // Observations. A deadline is generous: it says "never", not "slow". Throw Missing WHAT.
  void wait_until(std::string_view what, const std::function<bool()>& seen,
                  Duration within = std::chrono::seconds(60));
  void observe(const std::string& what, const std::function<bool()>& seen,
               Duration within = std::chrono::seconds(60));
  void require(const std::string& what, bool seen);
  // Reads captures and services for that long: to show that something does NOT come.
  void linger(Duration time);
  // The packet, once it is captured; told as seen. Throws Missing "WHAT".
  Seen observe_packet(const std::string& what, Host host, std::string_view interface, Way way,
                      const Pattern& pattern, std::size_t from = 0);

  // Programs.
  Output run(const std::vector<std::string>& arguments, std::optional<Host> host = {});
  Running start(const std::vector<std::string>& arguments, std::optional<Host> host = {});
  // A learner's program, a line for sh. What it starts itself ends with the handle, too.
  Running start_shell(const std::string& command, Host host);
  Output vpnctl(std::vector<std::string> arguments);
  // Of no answer, it waits a second for the last one.
  Ping ping_in_vain(Host from, std::string_view to, int count = 2);
  // Asks until `count` answers came; pattern: what the packets repeat (ping -p). Throws Missing
  // WHAT when none does.
  Ping observe_answer(const std::string& what, Host from, std::string_view to, int count = 2,
                      const std::string& pattern = {});
  // A ping that goes on, once in 200 ms.
  Running start_ping(Host from, std::string_view to, const std::string& pattern = {});
  void start_tunnel(const std::string& name);  // and captures on its interface
  void stop_tunnel(const std::string& name);
  void configure(const ClientProfile& profile);
  void configure(const ServerProfile& profile);
  // Called from wait_until when fd is readable, until the handle is gone.
  void serve(int fd, std::function<void()> readable);
  void unserve(int fd);

  // The kernel's view of a host.
  template <typename Ask>
  auto on(Host host, Ask ask) {
    const os::NetnsScope scope(os::Netns::open(name_of(host)));
    os::NetlinkSocket netlink;
    return ask(netlink);
  }
  std::optional<os::Link> link(Host host, const std::string& name);
  // The TUN or TAP interface of a host, if there is one.
  std::optional<os::Link> tunnel_link(Host host);
  std::vector<std::string> addresses(Host host, const std::string& interface);
  os::RouteAnswer route(Host host, std::string_view to, std::string_view from = {},
                        const std::string& input = {});
  // "192.168.53.1 on u: dev tun0, source 192.168.53.99"
  std::string route_text(Host host, std::string_view to, std::string_view from = {},
                         const std::string& input = {});
  void add_route(Host host, std::string_view to, std::string_view gateway_or_interface,
                 std::uint32_t metric = 0);
  void remove_route(Host host, std::string_view to);
  std::uint64_t counter(Host host, std::string_view name);

 private:
  void turn(Duration at_most);
  Running start(Program program, std::optional<Host> host);
  Ping told(Host from, const std::string& what, const std::string& output);

  Folder folder_;
  LabState state_;
  TaskOptions options_;
  Story story_;
  Captures captures_;
  std::vector<std::pair<int, std::function<void()>>> services_;
};

}  // namespace vpntun::lab

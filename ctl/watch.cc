// status --watch.
#include "ctl/watch.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "ctl/commands.h"
#include "ctl/status_text.h"
#include "ctl/stop_signal.h"
#include "ctl/tunnel_info.h"

namespace vpntun::ctl {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kInterval{1000};
// A daemon that hangs must not keep Ctrl-C waiting for longer.
constexpr std::uint32_t kLongestCall = 5;  // seconds

// While it lives the cursor is hidden and lines do not wrap.
class WatchedScreen {
 public:
  explicit WatchedScreen(std::ostream& out) : out_(out) { out_ << "\x1b[?25l\x1b[?7l\x1b[2J"; }
  ~WatchedScreen() { out_ << "\x1b[?7h\x1b[?25h" << std::flush; }
  WatchedScreen(const WatchedScreen&) = delete;
  WatchedScreen& operator=(const WatchedScreen&) = delete;

 private:
  std::ostream& out_;
};

// What was seen at the last look, to compute rates from.
struct Look {
  std::vector<TunnelInfo> tunnels;
  Clock::time_point time;
};

class Watch {
 public:
  explicit Watch(const Options& options) : options_(options) {}

  // Throws Failure when the daemon does not answer, or has no such tunnel.
  nlohmann::json ask() {
    if (!client_)
      client_ = std::make_unique<Client>(
          std::chrono::seconds(std::min(options_.timeout_seconds, kLongestCall)));
    try {
      nlohmann::json document = parse_document(client_->describe());
      if (options_.names.empty()) return document;
      nlohmann::json one = only(document, options_.names);
      if (one["tunnels"].empty()) throw no_such_tunnel("watch", options_.names.front(), {});
      return one;
    } catch (const Failure&) {
      client_.reset();
      throw;
    }
  }

  std::string text(const nlohmann::json& document) {
    const Style style = style_of_descriptor(STDOUT_FILENO, options_.no_color);
    Look look{tunnels_of(document), Clock::now()};
    RatesByName rates;
    if (last_) rates = rates_between(last_->tunnels, look.tunnels, look.time - last_->time);
    std::string out = options_.names.empty()
                          ? overview_text(look.tunnels, style, now_usec(), &rates)
                          : detail_text(look.tunnels.front(), style, now_usec(), &rates);
    last_ = std::move(look);
    return out;
  }

  std::string text_or_failure() {
    try {
      return text(ask());
    } catch (const Failure& failure) {
      last_.reset();
      return std::string(failure.what()) + "\n  " + failure.advice() + '\n';
    }
  }

 private:
  const Options& options_;
  std::unique_ptr<Client> client_;
  std::optional<Look> last_;
};

}  // namespace

std::string frame_text(std::string_view text, std::size_t rows) {
  std::string out = "\x1b[H";
  for (std::size_t row = 0; !text.empty() && (rows == 0 || row + 1 < rows); ++row) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out.append(text.substr(0, end));
    out += "\x1b[K\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out + "\x1b[J";
}

int watch_status(const Options& options, const Console& console) {
  const StopSignal stop;
  Watch watch(options);
  const bool screen = console.style.columns != 0 && !options.json;
  nlohmann::json document = watch.ask();
  if (!screen) {
    do {
      console.out << document.dump() << '\n' << std::flush;
      if (stop.wait(-1, kInterval) == StopSignal::Woken::kStop) return 0;
      document = watch.ask();
    } while (true);
  }
  const WatchedScreen screen_guard(console.out);
  std::string text = watch.text(document);
  do {
    const std::size_t rows = style_of_descriptor(STDOUT_FILENO, options.no_color).rows;
    console.out << frame_text(text, rows) << std::flush;
    if (stop.wait(-1, kInterval) == StopSignal::Woken::kStop) return 0;
    text = watch.text_or_failure();
  } while (true);
}

}  // namespace vpntun::ctl

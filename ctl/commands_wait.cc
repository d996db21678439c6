// wait: until a tunnel is where somebody wants it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "ctl/commands.h"
#include "ctl/stop_signal.h"
#include "ctl/tunnel_info.h"
#include "ctl/wait.h"

namespace vpntun::ctl {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kInterval{1000};          // for what no signal tells: counters
constexpr std::chrono::seconds kLongestCall{5};  // a daemon that hangs must not keep us

struct Wanted {
  std::string_view word;
  bool (*reached)(const TunnelInfo& tunnel);
  std::string_view is_the_case;
};

bool is_configured(const TunnelInfo& tunnel) {
  return tunnel.running();
}

// Who only sends datagrams to a WireGuard tunnel was not heard: that takes a handshake.
bool is_heard(const TunnelInfo& tunnel) {
  const auto heard =
      tunnel.encrypted() ? &PeerInfo::latest_handshake_usec : &PeerInfo::last_received_usec;
  return tunnel.running() &&
         std::ranges::any_of(tunnel.peers, [&](const PeerInfo& peer) { return peer.*heard != 0; });
}

bool passes_traffic(const TunnelInfo& tunnel) {
  return tunnel.running() && tunnel.health == "healthy" && tunnel.traffic.rx_packets > 0 &&
         tunnel.traffic.tx_packets > 0;
}

constexpr std::array kWanted{
    Wanted{"configured", is_configured, "it is running"},
    Wanted{"handshake", is_heard, "a peer was heard"},
    Wanted{"traffic", passes_traffic, "packets pass both ways"},
};

const Wanted& wanted_of(std::string_view word) {
  return *std::ranges::find(kWanted, word, &Wanted::word);
}

// One look; the document holds this tunnel alone.
struct Look {
  nlohmann::json document;
  TunnelInfo tunnel;
};

Look look_at(Client& client, const std::string& name) {
  const nlohmann::json all = parse_document(client.describe());
  Look look{only(all, {name}), {}};
  const std::vector<TunnelInfo> found = tunnels_of(look.document);
  if (found.empty()) {
    std::vector<std::string> names;
    for (const TunnelInfo& tunnel : tunnels_of(all)) names.push_back(tunnel.name);
    throw no_such_tunnel("wait for", name, names);
  }
  look.tunnel = found.front();
  return look;
}

}  // namespace

bool is_reached(const TunnelInfo& tunnel, std::string_view wanted) {
  return wanted_of(wanted).reached(tunnel);
}

Failure waited_in_vain(const TunnelInfo& tunnel, std::string_view wanted, std::uint32_t seconds) {
  std::string where = tunnel.state;
  if (tunnel.running()) where += ", " + tunnel.health;
  if (!tunnel.reason.text.empty()) where += ": " + tunnel.reason.text;
  return {kExitTimeout,
          fmt::format("{}: not within {} s that {}; {}", tunnel.name, seconds,
                      wanted_of(wanted).is_the_case, where),
          tunnel.running() ? fmt::format("All about it: vpnctl status {}", tunnel.name)
                           : fmt::format("Start it: vpnctl start {}", tunnel.name),
          ErrorKind::kTimeout};
}

int wait(const Options& options, const Console& console) {
  const std::string& name = options.names.front();
  const auto end = Clock::now() + std::chrono::seconds(options.timeout_seconds);
  const StopSignal stop;
  std::optional<Client> client;
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(end - Clock::now());
    std::optional<Look> seen;
    try {
      if (!client)
        client.emplace(std::min(kLongestCall, std::chrono::seconds(options.timeout_seconds)))
            .watch();
      client->take_changes();
      seen = look_at(*client, name);
    } catch (const Failure& failure) {
      // The daemon may be about to start, or to start again.
      if (failure.exit_code() != kExitUnreachable && failure.exit_code() != kExitTimeout) throw;
      if (left <= milliseconds::zero()) throw;
      client.reset();
    }
    if (seen && is_reached(seen->tunnel, options.wanted)) {
      if (options.json)
        console.out << seen->document.dump(2) << '\n';
      else
        console.say(fmt::format("{}: {}.\n", name, wanted_of(options.wanted).is_the_case));
      return 0;
    }
    if (seen && left <= milliseconds::zero())
      throw waited_in_vain(seen->tunnel, options.wanted, options.timeout_seconds);
    const auto pause = std::clamp(left, milliseconds::zero(), kInterval);
    if (stop.wait(client ? client->descriptor() : -1, pause) == StopSignal::Woken::kStop) return 1;
  }
}

}  // namespace vpntun::ctl

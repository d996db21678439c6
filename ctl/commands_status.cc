// status, list.
#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "ctl/commands.h"
#include "ctl/status_text.h"
#include "ctl/tunnel_info.h"

namespace vpntun::ctl {
namespace {

// As systemctl: 3 for a tunnel that does not run.
int status_code(const TunnelInfo& tunnel, bool healthy_wanted) {
  if (!tunnel.running()) return kExitNotRunning;
  return healthy_wanted && tunnel.health != "healthy" ? kExitUnhealthy : 0;
}

}  // namespace

int status(const Options& options, const Console& console) {
  if (options.healthy && options.names.empty())
    throw Failure(kExitUsage, "--healthy asks about one tunnel",
                  "Say which: vpnctl status --healthy NAME");
  if (options.watch) return watch_status(options, console);

  Client client(std::chrono::seconds(options.timeout_seconds));
  nlohmann::json document = parse_document(client.describe());
  if (options.names.empty()) {
    if (options.json)
      console.out << document.dump(2) << '\n';
    else
      console.say(overview_text(tunnels_of(document), console.style, now_usec()));
    return 0;
  }
  const std::string& name = options.names.front();
  const nlohmann::json one = only(std::move(document), {name});
  const std::vector<TunnelInfo> tunnels = tunnels_of(one);
  if (tunnels.empty()) throw no_such_tunnel("show", name, client.names());
  if (options.json)
    console.out << one.dump(2) << '\n';
  else
    console.say(detail_text(tunnels.front(), console.style, now_usec()));
  return status_code(tunnels.front(), options.healthy);
}

int list(const Options& options, const Console& console) {
  Client client(std::chrono::seconds(options.timeout_seconds));
  if (options.names_only) {
    for (const std::string& name : client.names()) console.out << name << '\n';
    return 0;
  }
  const nlohmann::json document = parse_document(client.describe());
  if (options.json) {
    console.out << document.dump(2) << '\n';
    return 0;
  }
  console.say(list_text(tunnels_of(document), console.style));
  return 0;
}

}  // namespace vpntun::ctl

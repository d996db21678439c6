// start, stop, restart, reload.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "config/changes.h"
#include "config/finding.h"
#include "ctl/commands.h"
#include "ctl/status_text.h"
#include "ctl/tunnel_info.h"

namespace vpntun::ctl {
namespace {

// What the daemon knows of one tunnel now.
std::vector<TunnelInfo> look_at(Client& client, const std::string& name) {
  return tunnels_of(only(parse_document(client.describe()), {name}));
}

// After InvalidProfile: the findings themselves, when we may read the file the daemon read.
std::string findings_of(Client& client, const std::string& name, const Console& console) {
  try {
    for (const TunnelInfo& tunnel : look_at(client, name)) {
      if (tunnel.profile_path.empty()) continue;
      const config::Loaded loaded = config::load_file(tunnel.profile_path, name);
      return config::to_text(loaded.findings, console.error_style.colour);
    }
  } catch (const Failure&) {
    // The error that brought us here is reported anyway; this is only more of it.
  }
  return {};
}

void report_with_findings(const Failure& failure, Client& client, const std::string& name,
                          const Console& console) {
  std::string findings;
  if (failure.kind() == ErrorKind::kInvalidProfile) findings = findings_of(client, name, console);
  if (findings.empty()) return report(failure, console);
  report(Failure(failure.exit_code(), failure.what(), {}, failure.kind()), console);
  console.err << findings << std::flush;
}

enum class Said { kUp, kStopped };

void say_result(Client& client, const std::string& name, Said said, const Console& console) {
  if (console.quiet) return;
  if (said == Said::kStopped) {
    console.say(fmt::format("{}: stopped.\n", name));
    return;
  }
  for (const TunnelInfo& tunnel : look_at(client, name)) console.say(started_text(tunnel));
}

// Goes on after an error; returns the code of the first.
int for_each_name(const Options& options, const Console& console, Client& client,
                  const std::function<void(const std::string&)>& operation) {
  int first_code = 0;
  for (const std::string& name : options.names) {
    try {
      operation(name);
    } catch (const Failure& failure) {
      report_with_findings(failure, client, name, console);
      if (first_code == 0) first_code = failure.exit_code();
    }
  }
  return first_code;
}

int change_each(const Options& options, const Console& console, Said said,
                void (Client::*operation)(const std::string&)) {
  Client client(std::chrono::seconds(options.timeout_seconds));
  const int code = for_each_name(options, console, client, [&](const std::string& name) {
    (client.*operation)(name);
    if (!options.json) say_result(client, name, said, console);
  });
  if (options.json)
    console.out << only(parse_document(client.describe()), options.names).dump(2) << '\n'
                << std::flush;
  return code;
}

}  // namespace

int start(const Options& options, const Console& console) {
  return change_each(options, console, Said::kUp, &Client::start);
}

int stop(const Options& options, const Console& console) {
  return change_each(options, console, Said::kStopped, &Client::stop);
}

int restart(const Options& options, const Console& console) {
  return change_each(options, console, Said::kUp, &Client::restart);
}

int reload(const Options& options, const Console& console) {
  Client client(std::chrono::seconds(options.timeout_seconds));
  nlohmann::json tunnels = nlohmann::json::array();
  const int code = for_each_name(options, console, client, [&](const std::string& name) {
    const Client::Reloaded done = client.reload(name);
    tunnels.push_back({{"name", name},
                       {"applied", done.applied},
                       {"needs-restart", done.needs_restart},
                       {"unchanged", done.applied.empty() && done.needs_restart.empty()}});
    if (!options.json && !console.quiet)
      console.say(config::reload_text(name, done.applied, done.needs_restart) + '\n');
  });
  if (options.json)
    console.out << nlohmann::json{{"schema", "vpnctl.reload/1"}, {"tunnels", tunnels}}.dump(2)
                << '\n'
                << std::flush;
  return code;
}

}  // namespace vpntun::ctl

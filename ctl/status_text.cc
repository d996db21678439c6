#include "ctl/status_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace vpntun::ctl {
namespace {

constexpr std::size_t kIndent = 3;
constexpr std::size_t kLabelWidth = 12;
constexpr std::string_view kNoProfiles =
    "No profiles. Put one into /etc/vpntund/NAME.toml, then: vpnctl check NAME\n";

Colour state_colour(const TunnelInfo& tunnel) {
  if (tunnel.running()) return Colour::kGreen;
  if (tunnel.state == "failed") return Colour::kRed;
  return tunnel.state == "stopped" ? Colour::kDim : Colour::kYellow;
}

Colour health_colour(const std::string& health) {
  if (health == "healthy") return Colour::kGreen;
  if (health == "failing") return Colour::kRed;
  return health == "degraded" ? Colour::kYellow : Colour::kNone;
}

// A tunnel is listed without one only as long as it runs.
bool profile_is_gone(const TunnelInfo& tunnel) {
  return tunnel.profile_path.empty() && !tunnel.profile_valid;
}

// Health says nothing about a tunnel that does not run.
std::string health_of(const TunnelInfo& tunnel) {
  return tunnel.running() ? tunnel.health : std::string();
}

// A peer is active when something was heard from it and nothing says that it fell silent; with
// WireGuard when it is fresh.
std::string active_peers(const TunnelInfo& tunnel) {
  if (!tunnel.running()) return {};
  const auto active =
      std::count_if(tunnel.peers.begin(), tunnel.peers.end(), [&](const PeerInfo& peer) {
        if (tunnel.encrypted()) return peer.state == "fresh";
        return peer.last_received_usec != 0 && peer.health != "failing";
      });
  return fmt::format("{}/{}", active, tunnel.peers.size());
}

// Of the peer it was with last.
std::string latest_handshake(const TunnelInfo& tunnel, std::uint64_t now_usec) {
  if (!tunnel.running() || !tunnel.encrypted()) return {};
  std::uint64_t latest = 0;
  for (const PeerInfo& peer : tunnel.peers) latest = std::max(latest, peer.latest_handshake_usec);
  return brief_ago_text(latest, now_usec);
}

bool plain(const TunnelInfo& tunnel) {
  return tunnel.running() && tunnel.encryption == "none";
}

// As a sentence: reasons come with and without a capital and a full stop.
std::string sentence(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z')
    text[0] = static_cast<char>(text[0] - 'a' + 'A');
  if (!text.empty() && text.back() != '.' && text.back() != '!' && text.back() != '?') text += '.';
  return text;
}

// The lines under the table for one tunnel; most have none.
std::string remarks(const TunnelInfo& tunnel, const Style& style) {
  std::string out;
  const auto remark = [&](const std::string& text, Colour colour) {
    out += paint(style, colour, fmt::format("{}: {}", tunnel.name, text)) + '\n';
  };
  const bool unwell = tunnel.health == "failing" || tunnel.health == "degraded";
  if (tunnel.running()) {
    std::string text = plain(tunnel) ? "not encrypted." : "";
    if (!tunnel.reason.text.empty())
      text += (text.empty() ? "" : " ") + sentence(tunnel.reason.text);
    if (unwell)
      text += (text.empty() ? "" : " ") + fmt::format("Run: vpnctl status {}", tunnel.name);
    if (!text.empty()) remark(text, unwell ? health_colour(tunnel.health) : Colour::kYellow);
  } else if (tunnel.state == "failed") {
    remark(fmt::format("{} Run: vpnctl status {}",
                       tunnel.reason.text.empty() ? "failed." : sentence(tunnel.reason.text),
                       tunnel.name),
           Colour::kRed);
  }
  if (profile_is_gone(tunnel))
    remark("the profile is gone; this is how it was started", Colour::kYellow);
  else if (!tunnel.profile_valid)
    remark(fmt::format("the profile has errors. Run: vpnctl check {}", tunnel.name), Colour::kRed);
  else if (tunnel.profile_stale && tunnel.running())
    remark(fmt::format("the profile changed on disk. Run: vpnctl reload {}", tunnel.name),
           Colour::kYellow);
  return out;
}

std::string rate_of(const RatesByName& rates, const std::string& name, double Rates::*direction) {
  const RatesByName::const_iterator found = rates.find(name);
  return found == rates.end() ? std::string() : rate_text(found->second.*direction);
}

// The lines "   Label       value" of a detail view.
class Fields {
 public:
  explicit Fields(const Style& style) : style_(style) {}

  void add(std::string_view label, const std::string& value, Colour colour = Colour::kNone) {
    if (value.empty()) return;
    constexpr std::size_t kBefore = kIndent + kLabelWidth;
    const bool whole = style_.columns <= 2 * kBefore;  // no terminal, or hopeless
    for (const std::string& line :
         whole ? std::vector{value} : wrapped(value, style_.columns - kBefore)) {
      out_ += fmt::format("{:{}}{:<{}}{}\n", "", kIndent, label, kLabelWidth,
                          paint(style_, colour, line));
      label = "";
    }
  }
  std::string text() && { return std::move(out_); }

 private:
  const Style& style_;
  std::string out_;
};

std::string unit_text(const TunnelInfo& tunnel, std::uint64_t now_usec) {
  std::vector<std::string> parts;
  if (!tunnel.unit.empty()) parts.push_back(tunnel.unit);
  if (tunnel.pid != 0) parts.push_back(fmt::format("pid {}", tunnel.pid));
  if (tunnel.since_usec != 0) {
    const std::uint64_t up = now_usec > tunnel.since_usec ? now_usec - tunnel.since_usec : 0;
    parts.push_back("up " + duration_text(std::chrono::seconds(up / 1'000'000)));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string interface_text(const TunnelInfo& tunnel) {
  if (tunnel.interface.empty()) return {};
  std::vector<std::string> parts;
  if (!tunnel.kind.empty()) parts.push_back(tunnel.kind);
  if (tunnel.interface_index != 0) parts.push_back(fmt::format("index {}", tunnel.interface_index));
  if (!tunnel.netns.empty()) parts.push_back("namespace " + tunnel.netns);
  std::string out = tunnel.interface;
  if (!parts.empty()) out += fmt::format(" ({})", fmt::join(parts, ", "));
  if (!tunnel.addresses.empty()) out += fmt::format(" {}", fmt::join(tunnel.addresses, ", "));
  return out;
}

std::string traffic_text(const TunnelInfo& tunnel, const RatesByName* rates) {
  const auto direction = [&](const char* word, std::uint64_t bytes, std::uint64_t packets,
                             double Rates::*rate) {
    std::string out =
        fmt::format("{} {} in {}", word, size_text(bytes), count_text(packets, "packet"));
    if (rates == nullptr) return out;
    const std::string speed = rate_of(*rates, tunnel.name, rate);
    return speed.empty() ? out : fmt::format("{} ({})", out, speed);
  };
  return fmt::format(
      "{}, {}",
      direction("received", tunnel.traffic.rx_bytes, tunnel.traffic.rx_packets, &Rates::rx),
      direction("sent", tunnel.traffic.tx_bytes, tunnel.traffic.tx_packets, &Rates::tx));
}

// "tso4 tso6 udp-gro, off: uso4 uso6 (why), off: udp-segment (why)".
std::string offloads_text(const TunnelInfo& tunnel) {
  std::string out;
  std::vector<std::pair<std::string, std::string>> off;  // why, and the names of those
  for (const OffloadInfo& offload : tunnel.offloads) {
    const std::string& why = offload.reason.text;
    const auto same = std::ranges::find(off, why, [](const auto& entry) { return entry.first; });
    if (offload.on)
      out += (out.empty() ? "" : " ") + offload.name;
    else if (same != off.end())
      same->second += ' ' + offload.name;
    else
      off.emplace_back(why, offload.name);
  }
  for (const auto& [why, names] : off)
    out += fmt::format("{}off: {}{}", out.empty() ? "" : ", ", names,
                       why.empty() ? "" : " (" + why + ")");
  return out;
}

std::string drop_text(const DropInfo& drop, std::uint64_t now_usec) {
  std::string what = drop.text.empty() ? drop.reason : drop.text;
  if (what.ends_with('.')) what.pop_back();
  std::string out = fmt::format("{}: {}", count_text(drop.packets, "packet"), what);
  if (!drop.last.empty())
    out += fmt::format(" (last: {}{})", drop.last,
                       drop.last_usec == 0 ? "" : ", " + ago_text(drop.last_usec, now_usec));
  return out;
}

std::string profile_text(const TunnelInfo& tunnel) {
  if (profile_is_gone(tunnel)) return "gone; this is how it was started";
  if (tunnel.profile_path.empty()) return {};
  if (!tunnel.profile_valid)
    return fmt::format("{} (has errors: vpnctl check {})", tunnel.profile_path, tunnel.name);
  if (tunnel.profile_stale && tunnel.running())
    return fmt::format("{} (changed on disk: vpnctl reload {})", tunnel.profile_path, tunnel.name);
  return tunnel.profile_path;
}

std::string encryption_text(const TunnelInfo& tunnel) {
  if (!tunnel.encrypted()) return tunnel.encryption;
  std::string out = "WireGuard";
  if (!tunnel.public_key.empty()) out += ", public key " + tunnel.public_key;
  if (tunnel.listen_port != 0) out += fmt::format(", port {}", tunnel.listen_port);
  return out;
}

void add_running_fields(Fields& fields, const TunnelInfo& tunnel, std::uint64_t now_usec,
                        const RatesByName* rates) {
  fields.add("Interface", interface_text(tunnel));
  if (plain(tunnel))
    fields.add("Encryption", "none - anyone on the path can read and change this traffic",
               Colour::kRed);
  else
    fields.add("Encryption", encryption_text(tunnel));
  if (tunnel.listen_port != 0 && !tunnel.encrypted())
    fields.add("Port", fmt::format("UDP {}", tunnel.listen_port));
  if (tunnel.mtu != 0)
    fields.add("MTU", tunnel.mtu_derivation.empty() ? fmt::format("{}", tunnel.mtu)
                                                    : tunnel.mtu_derivation);
  fields.add("Routes",
             fmt::format("{}{}", fmt::join(tunnel.routes, ", "),
                         tunnel.table != 0 ? fmt::format(" (table {})", tunnel.table) : ""));
  if (!tunnel.dns_servers.empty())
    fields.add("DNS", fmt::format("{} for {}", fmt::join(tunnel.dns_servers, ", "),
                                  tunnel.dns_domains.empty()
                                      ? "all names"
                                      : fmt::format("{}", fmt::join(tunnel.dns_domains, ", "))));
  if (tunnel.forwarding || tunnel.masquerade)
    fields.add("Forwarding", fmt::format("{}{}", tunnel.forwarding ? "on" : "off",
                                         tunnel.masquerade ? ", masquerade on" : ""));
  if (tunnel.fwmark != 0)
    fields.add("Mark", fmt::format("{:#x} on the tunnel's own datagrams", tunnel.fwmark));
  if (!tunnel.kill_switch.empty() && tunnel.kill_switch != "off")
    fields.add("Kill switch", tunnel.kill_switch);
  if (tunnel.workers > 1) fields.add("Workers", fmt::format("{}", tunnel.workers));
  fields.add("Offloads", offloads_text(tunnel));
  fields.add("Traffic", traffic_text(tunnel, rates));
  for (const DropInfo& drop : tunnel.drops)
    fields.add("Dropped", drop_text(drop, now_usec), Colour::kYellow);
}

std::string endpoint_text(const PeerInfo& peer) {
  if (peer.endpoint_hidden) return "(hidden)";
  if (peer.endpoint.empty())
    return peer.configured_endpoint.empty() ? "not learned yet"
                                            : peer.configured_endpoint + " (unresolved)";
  const bool said = peer.endpoint_source == "learned" || peer.endpoint_source == "resolved";
  return said ? fmt::format("{} ({})", peer.endpoint, peer.endpoint_source) : peer.endpoint;
}

Colour handshake_colour(const PeerInfo& peer) {
  if (peer.health == "failing") return Colour::kRed;
  if (peer.state == "fresh") return Colour::kGreen;
  return peer.state == "connecting" ? Colour::kYellow : Colour::kNone;
}

// What wg(8) has too and no column holds.
std::string keys_text(const PeerInfo& peer) {
  if (peer.public_key.empty()) return {};
  std::string out = "public key " + peer.public_key;
  if (peer.has_preshared_key) out += ", with a preshared key";
  if (peer.persistent_keepalive != 0)
    out += fmt::format(", keepalive every {} s", peer.persistent_keepalive);
  return out;
}

std::string peers_text(const TunnelInfo& tunnel, const Style& style, std::uint64_t now_usec) {
  if (tunnel.peers.empty()) return {};
  const bool encrypted = tunnel.encrypted();
  Table table({"PEER", encrypted ? "STATE" : "HEALTH", "ENDPOINT", "ALLOWED",
               encrypted ? "HANDSHAKE" : "LAST RECEIVED", "RECEIVED", "SENT"});
  std::string said;
  const auto say = [&](const PeerInfo& peer, const std::string& text) {
    if (!text.empty()) said += fmt::format("{:{}}{}: {}\n", "", kIndent, peer.name, text);
  };
  for (const PeerInfo& peer : tunnel.peers) {
    table.add({{peer.name},
               encrypted ? Cell{peer.state, handshake_colour(peer)}
                         : Cell{peer.health, health_colour(peer.health)},
               {endpoint_text(peer)},
               {fmt::format("{}", fmt::join(peer.allowed_ips, ", "))},
               {encrypted ? brief_ago_text(peer.latest_handshake_usec, now_usec)
                          : ago_text(peer.last_received_usec, now_usec)},
               {size_text(peer.traffic.rx_bytes)},
               {size_text(peer.traffic.tx_bytes)}});
    say(peer, sentence(peer.reason.text) +
                  (peer.refused_by.empty() ? "" : " The ICMP came from " + peer.refused_by + "."));
    say(peer, keys_text(peer));
  }
  return '\n' + table.text(style, kIndent) + said;
}

std::string next_step(const TunnelInfo& tunnel) {
  if (profile_is_gone(tunnel)) return {};
  if (!tunnel.profile_valid) return fmt::format("vpnctl check {}", tunnel.name);
  if (tunnel.state == "failed")
    return fmt::format(
        "remove the cause, then: vpnctl start {}{}", tunnel.name,
        tunnel.unit.empty() ? "" : fmt::format(" (log: journalctl -u {})", tunnel.unit));
  return tunnel.state == "stopped" ? fmt::format("vpnctl start {}", tunnel.name) : std::string();
}

}  // namespace

RatesByName rates_between(const std::vector<TunnelInfo>& before,
                          const std::vector<TunnelInfo>& after,
                          std::chrono::duration<double> elapsed) {
  RatesByName rates;
  if (elapsed.count() <= 0) return rates;
  for (const TunnelInfo& now : after) {
    const auto then = std::find_if(before.begin(), before.end(), [&](const TunnelInfo& tunnel) {
      return tunnel.name == now.name;
    });
    if (then == before.end() || !then->running() || !now.running()) continue;
    if (now.traffic.rx_bytes < then->traffic.rx_bytes ||
        now.traffic.tx_bytes < then->traffic.tx_bytes)
      continue;
    rates[now.name] = {
        static_cast<double>(now.traffic.rx_bytes - then->traffic.rx_bytes) / elapsed.count(),
        static_cast<double>(now.traffic.tx_bytes - then->traffic.tx_bytes) / elapsed.count()};
  }
  return rates;
}

std::string overview_text(const std::vector<TunnelInfo>& tunnels, const Style& style,
                          std::uint64_t now_usec, const RatesByName* rates) {
  if (tunnels.empty()) return std::string(kNoProfiles);
  std::vector<std::string> header{"NAME",  "STATE",     "HEALTH",   "INTERFACE", "ADDRESS",
                                  "PEERS", "HANDSHAKE", "RECEIVED", "SENT"};
  if (rates != nullptr) header.insert(header.end(), {"RECEIVED/S", "SENT/S"});
  Table table(std::move(header));
  std::string said;
  for (const TunnelInfo& tunnel : tunnels) {
    const std::string health = health_of(tunnel);
    const bool running = tunnel.running();
    std::vector<Cell> row{{tunnel.name},
                          {tunnel.state, state_colour(tunnel)},
                          {health, health_colour(health)},
                          {running ? tunnel.interface : ""},
                          {running ? fmt::format("{}", fmt::join(tunnel.addresses, ", ")) : ""},
                          {active_peers(tunnel)},
                          {latest_handshake(tunnel, now_usec)},
                          {running ? size_text(tunnel.traffic.rx_bytes) : ""},
                          {running ? size_text(tunnel.traffic.tx_bytes) : ""}};
    if (rates != nullptr) {
      row.push_back({rate_of(*rates, tunnel.name, &Rates::rx)});
      row.push_back({rate_of(*rates, tunnel.name, &Rates::tx)});
    }
    table.add(std::move(row));
    said += remarks(tunnel, style);
  }
  return table.text(style) + (said.empty() ? "" : "\n" + said);
}

std::string detail_text(const TunnelInfo& tunnel, const Style& style, std::uint64_t now_usec,
                        const RatesByName* rates) {
  std::string out =
      paint(style, state_colour(tunnel), "●") + ' ' + paint(style, Colour::kBold, tunnel.name);
  if (!tunnel.description.empty()) out += "  " + tunnel.description;
  out += '\n';

  Fields fields(style);
  const std::string health = health_of(tunnel);
  fields.add("State", health.empty() ? tunnel.state : fmt::format("{}, {}", tunnel.state, health),
             health.empty() || health == "unknown" ? state_colour(tunnel) : health_colour(health));
  fields.add("Reason", tunnel.reason.text);
  for (const Reason& finding : tunnel.findings)
    if (finding.text != tunnel.reason.text) fields.add("Also", finding.text);
  fields.add("Unit", unit_text(tunnel, now_usec));
  if (tunnel.running()) add_running_fields(fields, tunnel, now_usec, rates);
  fields.add("Profile", profile_text(tunnel));
  fields.add("Next", next_step(tunnel));
  out += std::move(fields).text();
  if (tunnel.running()) out += peers_text(tunnel, style, now_usec);
  return out;
}

std::string list_text(const std::vector<TunnelInfo>& tunnels, const Style& style) {
  if (tunnels.empty()) return std::string(kNoProfiles);
  Table table({"NAME", "STATE", "PROFILE", "DESCRIPTION"});
  for (const TunnelInfo& tunnel : tunnels)
    table.add({{tunnel.name},
               {tunnel.state, state_colour(tunnel)},
               {tunnel.profile_path},
               {tunnel.description}});
  return table.text(style);
}

std::string started_text(const TunnelInfo& tunnel) {
  std::string out = fmt::format("{}: {}", tunnel.name, tunnel.state);
  if (!tunnel.interface.empty()) out += " on " + tunnel.interface;
  if (!tunnel.addresses.empty()) out += fmt::format(" ({})", fmt::join(tunnel.addresses, ", "));
  return out + (plain(tunnel) ? ". Not encrypted.\n" : ".\n");
}

}  // namespace vpntun::ctl

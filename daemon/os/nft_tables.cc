// The rules in each of our tables.
#include <fmt/format.h>

#include "os/nft.h"

namespace vpntun::os {
namespace {

std::string chain(const std::string& table, const char* name, const char* hook) {
  return fmt::format("add chain inet {} {} {{ {}; policy accept; }}\n", table, name, hook);
}

// Adds to `commands`: `add rule inet TABLE CHAIN RULE`.
class Rules {
 public:
  Rules(std::string& commands, const std::string& table, const char* chain)
      : commands_(commands), start_(fmt::format("add rule inet {} {} ", table, chain)) {}
  void add(const std::string& rule) { commands_ += start_ + rule + "\n"; }

 private:
  std::string& commands_;
  std::string start_;
};

// libnftables takes a number for a name first, where an interface has such a name; none has one
// that begins with a space.
std::string by_index(unsigned interface) {
  return fmt::format("\" {}\"", interface);
}

const char* family_word(const IpAddress& address) {
  return address.is_v4() ? "ip" : "ip6";
}

// Private and link-local addresses, multicast that no router passes on, and the limited broadcast
// (RFC 1918, 3927, 2365, 4193, 4291). No others: a network that gives itself public addresses
// (TunnelCrack's LocalNet) is no LAN.
constexpr const char* kLan[] = {
    "ip daddr { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16, 224.0.0.0/24, "
    "239.255.0.0/16, 255.255.255.255 } accept",
    "ip6 daddr { fc00::/7, fe80::/10, ff02::/16, ff05::/16 } accept"};

constexpr const char* kRefuse = "counter reject with icmpx type admin-prohibited";

void add_lan(Rules& rules, const KillSwitchRules& wanted) {
  if (!wanted.lan) return;
  for (const IpPrefix& network : wanted.inside)
    rules.add(fmt::format("{} daddr {} {}", family_word(network.address),
                          network.network().to_string(), kRefuse));
  for (const char* rule : kLan) rules.add(rule);
}

}  // namespace

// Whoever forwards answers forwards all else too, and the clients' addresses are easily guessed. An
// accept ends this chain alone, a drop is final: so it comes after the usual firewalls, which may
// refuse with an answer and count. What conntrack does not know (untracked, invalid) is no answer.
std::size_t install_masquerade(const std::string& tunnel, unsigned interface) {
  const std::string table = table_name(NftTable::kMasquerade, tunnel);
  const std::string own = by_index(interface);
  std::string commands = chain(table, "postrouting", "type nat hook postrouting priority 100") +
                         chain(table, "forward", "type filter hook forward priority 20");
  Rules(commands, table, "postrouting").add(fmt::format("iif {0} oif != {0} masquerade", own));
  Rules forward(commands, table, "forward");
  forward.add(fmt::format("oif != {} accept", own));
  forward.add(fmt::format("iif {} accept", own));
  forward.add("ct state established,related accept");
  forward.add("ct status dnat accept");
  forward.add("counter drop");
  return replace_table(table, commands, "that masquerades");
}

// The drop: a neighbour that guesses the tunnel's address could else find and fill the connections
// inside (CVE-2019-14899). The mark: the kernel looks up the way back of what comes in, and shall
// find that of the tunnel's own datagrams.
std::size_t install_reply_path(const std::string& tunnel, const ReplyPath& path) {
  const std::string table = table_name(NftTable::kReplyPath, tunnel);
  const std::string outside = fmt::format("iif != {}", by_index(path.interface));
  std::string commands = chain(table, "raw", "type filter hook prerouting priority -300") +
                         chain(table, "mangle", "type filter hook prerouting priority -150");
  Rules raw(commands, table, "raw");
  for (const IpPrefix& own : path.addresses)
    raw.add(fmt::format("{} {} daddr {} fib saddr type != local drop", outside,
                        family_word(own.address), own.address.to_string()));
  Rules(commands, table, "mangle")
      .add(fmt::format("{} fib daddr type local udp dport {} meta mark set {}", outside, path.port,
                       path.mark));
  return replace_table(table, commands, "of the default route");
}

std::size_t install_kill_switch(const std::string& tunnel, const KillSwitchRules& wanted) {
  const std::string table = table_name(NftTable::kKillSwitch, tunnel);
  std::string commands = chain(table, "output", "type filter hook output priority 0") +
                         chain(table, "forward", "type filter hook forward priority 0");
  Rules output(commands, table, "output");
  output.add("oifname \"lo\" accept");
  output.add("meta oifkind \"tun\" accept");
  output.add(fmt::format("meta l4proto udp meta mark {} accept", wanted.mark));
  output.add("udp sport 68 udp dport 67 accept");
  output.add("udp sport 546 udp dport 547 accept");
  output.add(
      "icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, "
      "mld-listener-report, mld-listener-done, mld2-listener-report } accept");
  Rules forward(commands, table, "forward");
  forward.add("meta oifkind \"tun\" accept");
  for (Rules* rules : {&output, &forward}) {
    add_lan(*rules, wanted);
    rules->add(kRefuse);
  }
  return replace_table(table, commands, "that locks all ways but the tunnel");
}

}  // namespace vpntun::os

// What a reload finds changed, and the profile that runs after it.
#include "config/changes.h"

#include <gtest/gtest.h>

#include <map>

#include "config/finding.h"

namespace vpntun::config {
namespace {

Profile profile_of(const std::string& text) {
  const Loaded loaded = load_text(text, "/etc/vpntund/lab.toml", "lab");
  EXPECT_EQ(to_text(loaded.findings, false), "") << text;
  return loaded.profile.value();
}

struct Lines {
  std::string tunnel = "encryption = \"none\"\n";
  std::string interface = "name = \"lab0\"\nlisten-port = 9090\n";
  std::string top, routing, netns, access;
  std::string peers =
      "[[peer]]\nname = \"server\"\nendpoint = \"10.0.2.8:9090\"\n"
      "allowed-ips = \"192.168.60.0/24\"\n";

  Profile profile() const {
    return profile_of(top + "[tunnel]\n" + tunnel + "[interface]\n" + interface + "[routing]\n" +
                      routing + (netns.empty() ? "" : "[netns]\n" + netns) + "[access]\n" + access +
                      peers);
  }
};

struct Pair {
  Lines before, after;
};

std::string path_of(const KeyRow& row) {
  return row.table.empty() ? std::string(row.key)
                           : std::string(row.table) + "." + std::string(row.key);
}

Pair differing(std::string Lines::*part, const std::string& before, const std::string& after) {
  Pair pair;
  pair.before.*part += before;
  pair.after.*part += after;
  return pair;
}

Pair differing_peers(const std::string& before, const std::string& after) {
  Pair pair;
  pair.before.peers = before;
  pair.after.peers = after;
  return pair;
}

constexpr const char* kPublic = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
constexpr const char* kOther = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";

std::string key_line(const std::string& key) {
  return "public-key = \"" + key + "\"\n";
}

bool is_of_wireguard(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  return name.find("kill-switch") != std::string::npos ||
         is_wireguard_key(dot == std::string::npos ? name : name.substr(dot + 1));
}

// The kill switch is for a default route.
void make_wireguard(Pair& pair) {
  for (Lines* lines : {&pair.before, &pair.after}) {
    lines->tunnel = "encryption = \"wireguard\"\n";
    lines->interface += "private-key = \"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\"\n";
    if (lines->peers == Lines().peers)
      lines->peers =
          "[[peer]]\nname = \"server\"\nendpoint = \"10.0.2.8:9090\"\n"
          "allowed-ips = \"0.0.0.0/0\"\n" +
          key_line(kPublic);
  }
}

// For each key two profiles that differ in it alone.
std::map<std::string, Pair> pairs() {
  const std::string peer = "[[peer]]\nallowed-ips = \"192.168.60.0/24\"\n";
  std::map<std::string, Pair> pairs{
      {"description", differing(&Lines::top, "", "description = \"new\"\n")},
      {"tunnel.kind", differing(&Lines::tunnel, "", "kind = \"tap\"\n")},
      {"tunnel.allow-public-plaintext",
       differing(&Lines::tunnel, "", "allow-public-plaintext = true\n")},
      {"interface.name", Pair{}},
      {"interface.address", differing(&Lines::interface, "", "address = \"10.1.0.1/24\"\n")},
      {"interface.mtu", differing(&Lines::interface, "", "mtu = 1400\n")},
      {"interface.listen-port", Pair{}},
      {"interface.mac", differing(&Lines::interface, "", "mac = \"02:00:00:00:00:01\"\n")},
      {"interface.up", differing(&Lines::interface, "", "up = false\n")},
      {"interface.workers", differing(&Lines::interface, "", "workers = 2\n")},
      {"tunnel.ready-when", differing(&Lines::tunnel, "", "ready-when = \"handshake\"\n")},
      {"interface.dns.servers", differing(&Lines::interface, "[interface.dns]\n",
                                          "[interface.dns]\nservers = \"192.168.60.53\"\n")},
      {"interface.dns.domains",
       differing(&Lines::interface, "[interface.dns]\nservers = \"192.168.60.53\"\n",
                 "[interface.dns]\nservers = \"192.168.60.53\"\ndomains = \"corp.example\"\n")},
      {"routing.routes", differing(&Lines::routing, "", "routes = \"off\"\n")},
      {"routing.forwarding",
       differing(&Lines::routing, "forwarding = true\n", "forwarding = [\"eth1\"]\n")},
      {"routing.masquerade",
       differing(&Lines::routing, "forwarding = true\n", "forwarding = true\nmasquerade = true\n")},
      {"netns.mode", differing(&Lines::netns, "mode = \"create\"\nname = \"x\"\n",
                               "mode = \"join\"\nname = \"x\"\n")},
      {"netns.name", differing(&Lines::netns, "mode = \"join\"\nname = \"x\"\n",
                               "mode = \"join\"\nname = \"y\"\n")},
      {"netns.socket", differing(&Lines::netns, "mode = \"join\"\nname = \"x\"\n",
                                 "mode = \"join\"\nname = \"x\"\nsocket = \"inside\"\n")},
      {"access.active-session", differing(&Lines::access, "", "active-session = true\n")},
      {"interface.private-key", Pair{}},
      {"interface.fwmark", differing(&Lines::interface, "", "fwmark = 7\n")},
      {"interface.control-socket", differing(&Lines::interface, "", "control-socket = true\n")},
      {"routing.table", differing(&Lines::routing, "", "table = 7\n")},
      {"routing.unrouted-family", differing(&Lines::routing, "", "unrouted-family = \"allow\"\n")},
      {"routing.kill-switch.mode",
       differing(&Lines::routing, "", "[routing.kill-switch]\nmode = \"always\"\n")},
      {"routing.kill-switch.allow-lan",
       differing(&Lines::routing, "", "[routing.kill-switch]\nallow-lan = true\n")},
      {"peer.public-key", differing_peers(peer + key_line(kOther), peer + key_line(kPublic))},
      {"peer.preshared-key",
       differing_peers(peer + key_line(kPublic),
                       peer + key_line(kPublic) + "preshared-key = \"" + kOther + "\"\n")},
      {"peer.persistent-keepalive",
       differing_peers(
           peer + key_line(kPublic) + "endpoint = \"10.0.2.8:1\"\n",
           peer + key_line(kPublic) + "endpoint = \"10.0.2.8:1\"\npersistent-keepalive = 25\n")},
      {"peer.name", differing_peers("", peer + "name = \"new\"\n")},
      {"peer.endpoint", differing_peers(peer, peer + "endpoint = \"10.0.2.8:9090\"\n")},
      {"peer.allowed-ips", differing_peers(peer, "[[peer]]\nallowed-ips = \"192.168.61.0/24\"\n")},
  };
  pairs["interface.name"].after.interface = "name = \"lab1\"\nlisten-port = 9090\n";
  pairs["interface.listen-port"].after.interface = "name = \"lab0\"\nlisten-port = 9091\n";
  for (auto& [name, pair] : pairs)
    if (is_of_wireguard(name)) make_wireguard(pair);
  pairs["interface.private-key"].after.interface =
      Lines().interface + "private-key = \"" + kOther + "\"\n";
  for (const std::string tap_key : {"tunnel.kind", "interface.mac"}) {
    pairs[tap_key].before.peers = pairs[tap_key].after.peers = "";
    if (tap_key == "tunnel.kind") continue;
    pairs[tap_key].before.tunnel += "kind = \"tap\"\n";
    pairs[tap_key].after.tunnel += "kind = \"tap\"\n";
  }
  return pairs;
}

std::string change_of(const KeyRow& row) {
  if (row.table != "peer") return path_of(row);
  return row.key == "name" ? "peer[new]" : "peer[peer1]." + std::string(row.key);
}

TEST(Changes, name_exactly_the_key_that_differs) {
  const std::map<std::string, Pair> all = pairs();
  for (const KeyRow& row : key_rows()) {
    // Of these only one value exists.
    if (path_of(row) == "version" || path_of(row) == "tunnel.encryption") continue;
    ASSERT_TRUE(all.contains(path_of(row))) << path_of(row) << ": what does a reload do with it?";
    const Pair& pair = all.at(path_of(row));
    const std::vector<Change> expected{{change_of(row), row.on_reload}};
    EXPECT_EQ(changes(pair.before.profile(), pair.after.profile()), expected) << path_of(row);
    EXPECT_EQ(changes(pair.after.profile(), pair.after.profile()), std::vector<Change>());
  }
}

TEST(Merged, takes_the_live_keys_and_keeps_the_others) {
  const std::map<std::string, Pair> all = pairs();
  for (const KeyRow& row : key_rows()) {
    if (!all.contains(path_of(row))) continue;
    const Profile before = all.at(path_of(row)).before.profile();
    const Profile after = all.at(path_of(row)).after.profile();
    EXPECT_EQ(merged(before, after), row.on_reload == OnReload::kLive ? after : before)
        << path_of(row);
  }
}

TEST(Changes, tell_peers_apart_by_name) {
  const Profile before = profile_of(R"(
[tunnel]
encryption = "none"
[[peer]]
name = "stays"
endpoint = "10.0.2.8:9090"
allowed-ips = "192.168.60.0/24"
[[peer]]
name = "old"
endpoint = "10.0.2.9:9090"
allowed-ips = "192.168.61.0/24"
)");
  Profile after = before;
  after.peers[1].name = "new";
  std::swap(after.peers[0], after.peers[1]);
  after.peers[1].allowed_ips = {IpPrefix::parse("192.168.62.0/24").value()};
  const std::vector<Change> expected{{"peer[old]", OnReload::kLive},
                                     {"peer[new]", OnReload::kLive},
                                     {"peer[stays].allowed-ips", OnReload::kLive}};
  EXPECT_EQ(changes(before, after), expected);
  EXPECT_EQ(merged(before, after), after);
}

TEST(Changes, are_none_for_another_order_or_place_of_the_file) {
  Profile before = Lines().profile();
  before.peers.push_back(before.peers[0]);
  before.peers[1].name = "other";
  Profile after = before;
  std::swap(after.peers[0], after.peers[1]);
  after.path = "/run/vpntund/profiles/lab.toml";
  EXPECT_EQ(changes(before, after), std::vector<Change>());
  EXPECT_EQ(merged(before, after), after);
}

TEST(ReloadText, SaysWhatHoldsNowAndWhatNeedsARestart) {
  EXPECT_EQ(reload_text("lab", {}, {}), "lab: nothing changed");
  EXPECT_EQ(reload_text("lab", {"interface.mtu", "peer[x]"}, {}),
            "lab: applied interface.mtu, peer[x]");
  EXPECT_EQ(reload_text("lab", {}, {"interface.name"}),
            "lab: needs a restart: interface.name (vpnctl restart lab)");
  EXPECT_EQ(reload_text("lab", {"interface.mtu"}, {"interface.name"}),
            "lab: applied interface.mtu; needs a restart: interface.name (vpnctl restart lab)");
}

// The keys of the other kind would not fit the tunnel that runs.
TEST(Changes, all_need_a_restart_in_a_profile_of_another_tunnel) {
  Lines tun, tap;
  tap.tunnel += "kind = \"tap\"\n";
  tap.interface += "mac = \"02:00:00:00:00:01\"\nmtu = 1300\n";
  tap.peers = "[[peer]]\nname = \"server\"\nendpoint = \"10.0.2.8:9090\"\n";
  const std::vector<Change> expected{{"tunnel.kind", OnReload::kRestart},
                                     {"interface.mtu", OnReload::kRestart},
                                     {"interface.mac", OnReload::kRestart},
                                     {"peer[server].allowed-ips", OnReload::kRestart}};
  EXPECT_EQ(changes(tun.profile(), tap.profile()), expected);
  EXPECT_EQ(merged(tun.profile(), tap.profile()), tun.profile());
}

}  // namespace
}  // namespace vpntun::config

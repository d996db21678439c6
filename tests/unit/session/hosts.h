// Hosts to run sessions on: network namespaces without names, joined by veth links.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "config/profile.h"
#include "os/address.h"
#include "os/link.h"
#include "os/netlink.h"
#include "os/netns.h"
#include "os/nft.h"
#include "os/route.h"
#include "service/loop.h"
#include "session/session.h"
#include "values.h"

namespace vpntun::session {

class Host {
 public:
  const os::Netns& netns() const { return netns_; }

  // Runs `work` on this host, with a netlink socket there.
  template <typename Work>
  auto at(Work work) const {
    const os::NetnsScope scope(netns_);
    os::NetlinkSocket netlink;
    return work(netlink);
  }

  Host() : netns_(os::Netns::create_anonymous()) {
    at([](os::NetlinkSocket& netlink) {
      // A new namespace takes these over from the machine.
      for (const char* each : {"all/rp_filter", "default/rp_filter", "all/forwarding"})
        std::ofstream(std::string("/proc/sys/net/ipv4/conf/") + each) << "0";
      os::set_link_up(netlink, os::get_link(netlink, "lo").index, true);
    });
  }

  // A cable to another host. Without link-local addresses, which come some time after that.
  void connect(const Host& other, const std::string& name, const std::string& address_here,
               const std::string& name_there, const std::string& address_there) const {
    at([&](os::NetlinkSocket& netlink) {
      os::create_veth(netlink, name, name_there, other.netns_.fd());
    });
    set_up(name, address_here);
    other.set_up(name_there, address_there);
  }

  void set_up(const std::string& name, const std::string& with_address) const {
    at([&](os::NetlinkSocket& netlink) {
      const unsigned index = os::get_link(netlink, name).index;
      os::set_no_link_local_v6(netlink, index);
      os::add_address(netlink, index, prefix(with_address));
      os::set_link_up(netlink, index, true);
    });
  }

  // As older kernels want it: while it is down.
  void rename(const std::string& from, const std::string& to) const {
    at([&](os::NetlinkSocket& netlink) {
      const unsigned index = os::get_link(netlink, from).index;
      os::set_link_up(netlink, index, false);
      os::set_link_name(netlink, index, to);
      os::set_link_up(netlink, index, true);
    });
  }

  // Everything a session could leave behind, one line each.
  std::vector<std::string> state(const std::string& tunnel) const {
    return at([&](os::NetlinkSocket& netlink) {
      std::vector<std::string> lines;
      for (const os::Link& link : os::list_links(netlink))
        lines.push_back(fmt::format("link {} up {} forwarding {}", link.name, link.up,
                                    os::forwarding_v4(netlink, link.index)));
      for (const os::InterfaceAddress& address : os::list_addresses(netlink))
        lines.push_back(fmt::format("address {} on {}", address.prefix.to_string(), address.index));
      for (const os::Route& route : os::list_routes(netlink))
        lines.push_back(fmt::format("route {} on {}", route.destination.to_string(), route.index));
      lines.push_back(
          fmt::format("masquerade {}", os::table_installed(os::NftTable::kMasquerade, tunnel)));
      return lines;
    });
  }

  std::size_t rules(os::NftTable table, const std::string& tunnel) const {
    return at([&](os::NetlinkSocket&) { return os::rules_in_table(table, tunnel); });
  }

  bool runs(const std::string& command) const {
    return at([&](os::NetlinkSocket&) { return std::system(command.c_str()) == 0; });
  }
  // Within a minute. Three at once: of those sent one by one, ping waits for the last only twice as
  // long as for the others.
  bool pings(const std::string& destination) const {
    return runs("ping -n -q -c 3 -l 3 -i 60 -W 60 " + destination + " >/dev/null");
  }

 private:
  os::Netns netns_;
};

// A session that lives on a host: taken down there too.
class HostedSession {
 public:
  HostedSession(const Host& host, service::Loop& loop, const config::Profile& profile)
      : host_(host) {
    host_.at([&](os::NetlinkSocket&) { session_ = std::make_unique<Session>(profile, loop); });
  }
  ~HostedSession() {
    host_.at([&](os::NetlinkSocket&) { session_.reset(); });
  }
  HostedSession(const HostedSession&) = delete;
  HostedSession& operator=(const HostedSession&) = delete;
  Session* operator->() const { return session_.get(); }

 private:
  const Host& host_;
  std::unique_ptr<Session> session_;
};

// The loop runs until the condition holds; false: it did not within a minute.
inline bool run_until(service::Loop& loop, const std::function<bool()>& condition) {
  const Instant limit = BootClock::now() + std::chrono::seconds(60);
  service::EventSource tick;
  tick = loop.add_timer(loop.now(), [&] {
    if (condition()) return loop.exit(0);
    if (BootClock::now() > limit) return loop.exit(1);
    loop.set_timer(tick, BootClock::now() + std::chrono::milliseconds(5));
  });
  return loop.run() == 0;
}

inline config::EndpointSpec endpoint_spec(const std::string& host, std::uint16_t port) {
  return {host, port, IpAddress::parse(host)};
}

// The two ends of the lab's tunnel, between 10.0.2.7 and 10.0.2.8.
inline config::Profile client_profile() {
  config::Profile profile;
  profile.name = "lab";
  profile.interface.name = "tun0";
  profile.interface.addresses = prefixes({"192.168.53.99/24"});
  config::Peer server;
  server.name = "server";
  server.endpoints = {endpoint_spec("10.0.2.8", 9090)};
  server.allowed_ips = prefixes({"192.168.53.0/24", "192.168.60.0/24"});
  profile.peers.push_back(server);
  return profile;
}
inline config::Profile server_profile() {
  config::Profile profile;
  profile.name = "lab-server";
  profile.interface.name = "tun0";
  profile.interface.addresses = prefixes({"192.168.53.98/24"});
  profile.interface.listen_port = 9090;
  config::Peer client;
  client.name = "u";
  client.allowed_ips = prefixes({"192.168.53.99/32"});
  profile.peers.push_back(client);
  return profile;
}

}  // namespace vpntun::session

#include "ctl/lab/topology.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/address.h"
#include "base/error.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "ctl/lab/folder.h"
#include "os/address.h"
#include "os/link.h"
#include "os/netlink.h"
#include "os/netns.h"
#include "os/route.h"

namespace vpntun::lab {
namespace {

// Who made a route (rtnetlink(7), rtm_protocol).
constexpr std::uint8_t kKernelRoute = 2;
constexpr std::uint8_t kStaticRoute = 4;

struct InterfacePlan {
  Host host;
  const char* name;
  std::string_view address;
};

constexpr std::array kInterfaces = {
    InterfacePlan{Host::kU, "eth0", kUOutside},
    InterfacePlan{Host::kServer, "eth0", kServerOutside},
    InterfacePlan{Host::kServer, "eth1", kServerIntranet},
    InterfacePlan{Host::kV, "eth0", kV},
};

IpAddress address(std::string_view text) {
  return IpAddress::parse(text).value();
}

void configure(const InterfacePlan& plan) {
  const os::NetnsScope scope(os::Netns::open(name_of(plan.host)));
  os::NetlinkSocket netlink;
  const unsigned index = os::get_link(netlink, plan.name).index;
  const os::InterfaceAddress wanted{index, {address(plan.address), 24}};
  const auto present = os::list_addresses(netlink);
  if (std::find(present.begin(), present.end(), wanted) == present.end())
    os::add_address(netlink, index, wanted.prefix);
  os::set_link_up(netlink, index, true);
}

// The kernel puts a wire to use some time after both of its ends are up, and loses what is sent
// before.
void wait_for_wire(const InterfacePlan& plan) {
  const os::NetnsScope scope(os::Netns::open(name_of(plan.host)));
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq facts{};
  std::string_view(plan.name).copy(facts.ifr_name, IFNAMSIZ - 1);
  const Instant deadline = BootClock::now() + std::chrono::seconds(60);
  while (::ioctl(fd.get(), SIOCGIFFLAGS, &facts) == 0 && (facts.ifr_flags & IFF_RUNNING) == 0) {
    if (BootClock::now() > deadline)
      throw Error(ErrorKind::kTimeout, "{} of {} is up, but does not run", plan.name,
                  name_of(plan.host));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// A new namespace copies the machine's own IPv4 defaults: ours must not depend on them. IPv6 is off
// so that a capture shows the lab's packets and no router solicitations.
void set_switches(Host host) {
  for (const char* scope : {"all", "default"}) {
    const std::string folder = fmt::format("ipv4/conf/{}/", scope);
    write_sysctl(host, folder + "rp_filter", "0");
    write_sysctl(host, folder + "forwarding", "0");
  }
  const os::NetnsScope scope(os::Netns::open(name_of(host)));
  os::NetlinkSocket netlink;
  for (const os::Link& link : os::list_links(netlink)) {
    os::set_rp_filter_v4(netlink, link.index, 0);
    os::set_forwarding_v4(netlink, link.index, false);
  }
}

void switch_off_ipv6(Host host) {
  const os::NetnsScope scope(os::Netns::open(name_of(host)));
  if (read_file("/proc/sys/net/ipv6/conf/all/disable_ipv6").empty()) return;  // a kernel without
  write_sysctl(host, "ipv6/conf/all/disable_ipv6", "1");
  write_sysctl(host, "ipv6/conf/default/disable_ipv6", "1");
}

void set_routes(Host host) {
  const os::NetnsScope scope(os::Netns::open(name_of(host)));
  os::NetlinkSocket netlink;
  for (const os::Route& route : os::list_routes(netlink)) {
    if (route.protocol != kKernelRoute) os::remove_route(netlink, route);
  }
  if (host != Host::kV) return;
  os::Route back;
  back.destination = IpPrefix::parse(kTunnelNetwork).value();
  back.gateway = address(kServerIntranet);
  back.protocol = kStaticRoute;
  os::add_route(netlink, back);
}

}  // namespace

std::string name_of(Host host) {
  switch (host) {
    case Host::kU:
      return "u";
    case Host::kServer:
      return "server";
    case Host::kV:
      return "v";
  }
  return {};
}

std::string title_of(Host host) {
  switch (host) {
    case Host::kU:
      return "U";
    case Host::kServer:
      return "the VPN server";
    case Host::kV:
      return "V";
  }
  return {};
}

void write_sysctl(Host host, const std::string& path, const std::string& value) {
  const os::NetnsScope scope(os::Netns::open(name_of(host)));
  write_file("/proc/sys/net/" + path, value);
}

void build_topology() {
  const os::Netns u = os::Netns::create(name_of(Host::kU));
  const os::Netns server = os::Netns::create(name_of(Host::kServer));
  const os::Netns v = os::Netns::create(name_of(Host::kV));
  for (const Host host : kHosts) switch_off_ipv6(host);
  {
    const os::NetnsScope scope(u);
    os::NetlinkSocket netlink;
    os::create_veth(netlink, "eth0", "eth0", server.fd());
  }
  {
    const os::NetnsScope scope(server);
    os::NetlinkSocket netlink;
    os::create_veth(netlink, "eth1", "eth0", v.fd());
  }
  for (const Host host : kHosts) {
    const os::NetnsScope scope(os::Netns::open(name_of(host)));
    os::NetlinkSocket netlink;
    os::set_link_up(netlink, os::get_link(netlink, "lo").index, true);
  }
  reset_topology();
}

void reset_topology() {
  for (const InterfacePlan& plan : kInterfaces) configure(plan);
  for (const InterfacePlan& plan : kInterfaces) wait_for_wire(plan);
  for (const Host host : kHosts) {
    set_switches(host);
    set_routes(host);
  }
}

std::string picture() {
  return
      R"(            internet 10.0.2.0/24                 intranet 192.168.60.0/24
  +-----+ eth0           eth0 +--------+ eth1                 eth0 +-----+
  |  U  |---------------------| server |---------------------------|  V  |
  +-----+ .7               .8 +--------+ .1                   .101 +-----+
     : tun0 192.168.53.99          : tun0 192.168.53.98
     :.............................:
          the tunnel: UDP port 9090
)";
}

}  // namespace vpntun::lab

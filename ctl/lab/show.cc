#include "ctl/lab/show.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "base/error.h"
#include "ctl/lab/child.h"
#include "ctl/lab/enter.h"
#include "ctl/lab/topology.h"
#include "os/address.h"
#include "os/link.h"
#include "os/netlink.h"
#include "os/netns.h"
#include "os/route.h"

namespace vpntun::lab {
namespace {

std::string route_text(const os::Route& route, os::NetlinkSocket& netlink) {
  std::string text = route.destination.length == 0 ? "default" : route.destination.to_string();
  if (route.gateway) text += " via " + route.gateway->to_string();
  if (const auto link = os::find_link(netlink, route.index)) text += " dev " + link->name;
  return text;
}

void show_host(Host host) {
  const os::NetnsScope scope(os::Netns::open(name_of(host)));
  os::NetlinkSocket netlink;
  fmt::print("{}\n", name_of(host));
  const auto addresses = os::list_addresses(netlink);
  for (const os::Link& link : os::list_links(netlink)) {
    if (link.loopback) continue;
    std::string text;
    for (const os::InterfaceAddress& address : addresses) {
      if (address.index == link.index) text += " " + address.prefix.to_string();
    }
    fmt::print("  {:<6} {:<4}{}\n", link.name, link.up ? "up" : "down", text);
  }
  for (const os::Route& route : os::list_routes(netlink))
    fmt::print("  route  {}\n", route_text(route, netlink));
}

int show_inside(const Folder& folder, const LabState& state) {
  for (const Host host : kHosts) show_host(host);
  fmt::print("\n");
  std::fflush(stdout);
  Program program;
  program.arguments = {program_path("vpnctl"), "status"};
  program.environment = lab_environment(folder, state, "");
  Child::start(program).wait();
  return 0;
}

}  // namespace

int show_status(const Folder& folder) {
  const auto state = folder.running();
  if (!state) {
    fmt::print("No lab is up: vpnctl lab up\n");
    return 3;
  }
  fmt::print("{}\nThe lab is up. Bus: {}. Log: {}\n\n", picture(), state->bus, folder.log());
  return run_inside(*state, [&] { return show_inside(folder, *state); });
}

}  // namespace vpntun::lab

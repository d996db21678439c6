// The tunnel's own interface: giving it what the profile wants, and reading back what it
// has now. All of it goes with the interface. Thread: control.
#pragma once

#include "config/profile.h"
#include "os/netlink.h"
#include "session/host_config.h"
#include "session/mtu.h"

namespace vpntun::session {

// at_socket: a socket of the namespace the UDP socket is in, whose routes lead to the peers.
// mark: of the datagrams, which decides about their way.
Mtu choose_mtu(os::NetlinkSocket& at_socket, const config::Profile& profile, std::uint32_t mark);
// The address the kernel would send from to the first configured peer, for captures before that
// peer was heard; unspecified if none can be told.
IpAddress choose_source(os::NetlinkSocket& at_socket, const config::Profile& profile,
                        std::uint32_t mark);

// Makes the interface what the profile wants, whether it is fresh, was left by an earlier run, or
// is in use: what stays is not touched, and what is new is there before the old goes. former: as
// for steps_to(). Errors: kAddressInUse (another interface has the address), kRouteConflict,
// kAccessDenied; what was done until then stays.
void configure_interface(os::NetlinkSocket& netlink, unsigned index,
                         const config::Interface& settings, const HostConfig& wanted,
                         std::uint32_t mtu, const std::vector<IpPrefix>* former = nullptr);

// table: whose routes to look at; 0: the main one. Without the interface: down and empty.
HostSeen look_at_interface(os::NetlinkSocket& netlink, unsigned index, std::uint32_t table = 0);

}  // namespace vpntun::session

// Interface addresses through rtnetlink, in the namespace of the socket passed. Callers: session/,
// the lab. Thread: the socket's.
#pragma once

#include <optional>
#include <vector>

#include "base/address.h"
#include "os/netlink.h"

namespace vpntun::os {

struct InterfaceAddress {
  unsigned index = 0;  // interface
  IpPrefix prefix;     // the address with its prefix length
  bool operator==(const InterfaceAddress&) const = default;
};

// Pure: an RTM_NEWADDR or RTM_DELADDR message; nullopt if it is malformed or of another family.
std::optional<InterfaceAddress> parse_address(const nlmsghdr& message);

// IPv6 without duplicate address detection: on an interface that is up the address can be bound at
// once and is reached within milliseconds, when the kernel has made its local route. IPv4 gets no
// broadcast address. Errors: kAddressInUse (the interface has it already), kAccessDenied. An IPv4
// address that another interface has is accepted by the kernel: ask find_owner first.
void add_address(NetlinkSocket& netlink, unsigned index, const IpPrefix& prefix);
void remove_address(NetlinkSocket& netlink, unsigned index, const IpPrefix& prefix);
// Of one interface, which must exist, or (0) of all; both families. The kernel picks them out.
std::vector<InterfaceAddress> list_addresses(NetlinkSocket& netlink, unsigned index = 0);
// The interface that has this address now.
std::optional<InterfaceAddress> find_owner(NetlinkSocket& netlink, const IpAddress& address);

}  // namespace vpntun::os

// Network interfaces through rtnetlink, in the namespace of the socket passed. Callers: session/,
// the lab. Errors of all: kAccessDenied (CAP_NET_ADMIN), kFailed with "what on which interface".
// Thread: the socket's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "os/netlink.h"

namespace vpntun::os {

struct Link {
  unsigned index = 0;
  std::string name;
  unsigned mtu = 0;       // bytes
  bool up = false;        // administratively
  bool lower_up = false;  // there is a carrier
  bool loopback = false;
  std::string kind;  // "tun", "veth", ...; empty for a device without one (lo, hardware)
  MacAddress mac;    // zero for an interface without (TUN)
  std::vector<std::string> alternative_names{};
  unsigned queues = 0;  // of a TUN or TAP interface that may have several: those attached
  bool operator==(const Link&) const = default;
};

// Pure: an RTM_NEWLINK or RTM_DELLINK message; nullopt if it is malformed.
std::optional<Link> parse_link(const nlmsghdr& message);

std::optional<Link> find_link(NetlinkSocket& netlink, const std::string& name);
std::optional<Link> find_link(NetlinkSocket& netlink, unsigned index);
// The same; throws kFailed if there is none.
Link get_link(NetlinkSocket& netlink, const std::string& name);
Link get_link(NetlinkSocket& netlink, unsigned index);
std::vector<Link> list_links(NetlinkSocket& netlink);

void set_link_up(NetlinkSocket& netlink, unsigned index, bool up);
void set_link_mtu(NetlinkSocket& netlink, unsigned index, unsigned mtu);
void set_link_mac(NetlinkSocket& netlink, unsigned index, const MacAddress& mac);
// The interface must be down. Errors: kInterfaceExists.
void set_link_name(NetlinkSocket& netlink, unsigned index, const std::string& name);
void delete_link(NetlinkSocket& netlink, unsigned index);

// A further name (ip-link(8), property altname): at most 127 bytes, of one interface in the
// namespace. It goes with the interface. Adding one that is there, or removing one that is not,
// does nothing.
void add_alternative_name(NetlinkSocket& netlink, unsigned index, const std::string& name);
void remove_alternative_name(NetlinkSocket& netlink, unsigned index, const std::string& name);

// A veth pair: `name` here, `peer_name` in the namespace of peer_netns (an fd of it). Both down.
// Errors: kInterfaceExists.
void create_veth(NetlinkSocket& netlink, const std::string& name, const std::string& peer_name,
                 int peer_netns);

// IPv4 settings of one interface, read and set by message (IFLA_INET_CONF), without /proc/sys.
bool forwarding_v4(NetlinkSocket& netlink, unsigned index);
void set_forwarding_v4(NetlinkSocket& netlink, unsigned index, bool on);
// Without it the kernel takes all addresses of a network away with the first of them.
void set_promote_secondaries_v4(NetlinkSocket& netlink, unsigned index, bool on);
// rp_filter: 0 off, 1 strict, 2 loose (RFC 3704). The kernel uses the larger of this and conf/all
// (os/sysctl.h).
unsigned rp_filter_v4(NetlinkSocket& netlink, unsigned index);
void set_rp_filter_v4(NetlinkSocket& netlink, unsigned index, unsigned mode);
// src_valid_mark: whether rp_filter looks up the way back with the mark of the packet. On when this
// or conf/all is on.
bool src_valid_mark_v4(NetlinkSocket& netlink, unsigned index);
void set_src_valid_mark_v4(NetlinkSocket& netlink, unsigned index, bool on);
// Coming up, the interface makes itself no link-local address, and then asks for no routers either.
// An interface without IPv6 does neither, and stays as it is.
void set_no_link_local_v6(NetlinkSocket& netlink, unsigned index);

}  // namespace vpntun::os

// nftables: tables of our own, of family inet, one for each purpose and tunnel. Each call is one
// transaction in the network namespace of the calling thread. Callers: session/. Thread: control.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/address.h"

namespace vpntun::os {

enum class NftTable {
  kMasquerade,  // vpntun_NAME
  kReplyPath,   // vpntun-routing_NAME
  kKillSwitch,  // vpntun-killswitch_NAME
};

// Errors: kInvalidArguments unless the tunnel's name has only letters, digits, '_', '-', '.'.
std::string table_name(NftTable table, const std::string& tunnel);

// Each install replaces the table that is there, and returns how many rules it has now. Errors:
// kAccessDenied, kNotSupported (the kernel lacks what it needs), kInvalidArguments, kFailed.

// Interfaces are given by index: the rules hold on when somebody renames one.

// What comes in on `interface` and leaves on another gets the address of the latter. What comes in
// on another is forwarded to `interface` only if it answers something, or was directed there by
// DNAT; no verdict of other tables is overridden. IPv4 and IPv6.
std::size_t install_masquerade(const std::string& tunnel, unsigned interface);

// What a default route into a tunnel needs of the packets that do not come out of it.
struct ReplyPath {
  unsigned interface = 0;
  std::vector<IpPrefix> addresses;  // of the interface: nobody outside may send to them
  std::uint16_t port = 0;           // datagrams to it get the mark, for the kernel's rp_filter
  std::uint32_t mark = 0;
  bool operator==(const ReplyPath&) const = default;
};
std::size_t install_reply_path(const std::string& tunnel, const ReplyPath& path);

// Nothing leaves this host, its own or forwarded, but: what goes to itself; what goes into a TUN or
// TAP interface, and comes by here again in the datagrams of whoever reads there; UDP datagrams
// with the mark; DHCP; what IPv6 needs to find its neighbours. The rest is refused with an ICMP
// message.
struct KillSwitchRules {
  std::uint32_t mark = 0;
  bool lan = false;                // private, link-local and multicast addresses are left alone
  std::vector<IpPrefix> inside{};  // networks of the tunnel, which are no LAN
  bool operator==(const KillSwitchRules&) const = default;
};
std::size_t install_kill_switch(const std::string& tunnel, const KillSwitchRules& rules);

// Returns whether there was one.
bool remove_table(NftTable table, const std::string& tunnel);
bool table_installed(NftTable table, const std::string& tunnel);
// 0 also without a table.
std::size_t rules_in_table(NftTable table, const std::string& tunnel);

// For nft_tables.cc: the commands as one transaction, in place of the table that may be there.
// Returns how many of them, one a line, add a rule. Errors say what was attempted on which table,
// "that masquerades".
std::size_t replace_table(const std::string& table, const std::string& commands,
                          const std::string& that_does);

}  // namespace vpntun::os

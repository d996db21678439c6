// The number by which the tunnel's own datagrams are told from all other packets: the fwmark of the
// UDP socket, and the routing table that the others look into. An interface with a default route by
// policy routing carries it as an alternative name, so that the tunnel's next session finds it
// again, and other tunnels take another one. Thread: control.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/profile.h"
#include "os/link.h"
#include "os/netlink.h"

namespace vpntun::session {

// Of the tunnels whose profile names none: beside those that wg-quick(8) counts up from 51820.
inline constexpr std::uint32_t kFirstMark = 52000;
inline constexpr std::uint32_t kMarks = 8000;

// Pure. Whose number an alternative name says: "vpntun-mark-52117-lab".
struct MarkClaim {
  std::uint32_t mark = 0;
  std::string tunnel;
  bool operator==(const MarkClaim&) const = default;
};
std::string name_of(const MarkClaim& claim);
std::optional<MarkClaim> parse_claim(std::string_view alternative_name);

// Pure. The first choice of a tunnel, always the same.
std::uint32_t first_choice(std::string_view tunnel) noexcept;

// The mark that the profile names; else, where interface and socket share a namespace, that of the
// tunnel's earlier session, or one that nobody uses. Else 0. netlink: of that namespace.
std::uint32_t choose_mark(os::NetlinkSocket& netlink, const config::Profile& profile);

// Removes the rules of tunnels that ended without doing so: those with our protocol number whose
// mark no interface claims. tunnel: the claim of this one does not count.
void sweep_rules(os::NetlinkSocket& netlink, const std::string& tunnel);

}  // namespace vpntun::session

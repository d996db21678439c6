#include "session/mtu.h"

#include <fmt/format.h>

#include <algorithm>

#include "packet/ethernet.h"
#include "wg/messages.h"

namespace vpntun::session {

namespace {

constexpr std::uint32_t kUdpHeader = 8;
constexpr std::uint32_t kEthernetHeader = packet::kEthernetHeader;
constexpr std::uint32_t kWireguard = wg::kDataOverhead;
constexpr std::uint32_t kLargestPacket = 65535;  // total length of IPv4, and our slots
constexpr std::uint32_t kLeastIpv4 = 68;         // RFC 791
constexpr std::uint32_t kLeastIpv6 = 1280;       // RFC 8200

std::uint32_t ip_header(Family family) {
  return family == Family::kIpv4 ? 20 : 40;
}

std::uint32_t headers(const OuterPath& path, InnerNeeds needs) {
  return ip_header(path.family) + kUdpHeader + (needs.encrypted ? kWireguard : 0) +
         (needs.frames ? kEthernetHeader : 0);
}

Mtu derive_from(const OuterPath& path, InnerNeeds needs) {
  const std::uint32_t outer = std::min(path.mtu, kLargestPacket);
  const std::uint32_t overhead = headers(path, needs);
  Mtu mtu;
  mtu.bytes = outer > overhead ? outer - overhead : 0;
  mtu.derivation =
      fmt::format("{} = {} ({}) - {} ({}) - {} (UDP)", mtu.bytes, outer,
                  path.interface.empty() ? "assumed" : path.interface, ip_header(path.family),
                  path.family == Family::kIpv4 ? "IPv4" : "IPv6", kUdpHeader);
  if (needs.encrypted) mtu.derivation += fmt::format(" - {} (WireGuard)", kWireguard);
  if (needs.frames) mtu.derivation += fmt::format(" - {} (Ethernet)", kEthernetHeader);
  return mtu;
}

}  // namespace

Mtu derive_mtu(std::span<const OuterPath> paths, InnerNeeds needs) {
  const OuterPath unknown;
  Mtu mtu = derive_from(paths.empty() ? unknown : paths.front(), needs);
  for (const OuterPath& path : paths) {
    Mtu other = derive_from(path, needs);
    if (other.bytes < mtu.bytes) mtu = std::move(other);
  }
  const std::uint32_t least = needs.ipv6 ? kLeastIpv6 : kLeastIpv4;
  if (mtu.bytes < least) {
    mtu.derivation = fmt::format("{} (least for {} inside; the path leaves {})", least,
                                 needs.ipv6 ? "IPv6" : "IPv4", mtu.derivation);
    mtu.bytes = least;
  }
  return mtu;
}

}  // namespace vpntun::session

// What does not fit together about the interface and routing.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "config/draft.h"
#include "config/prefix_set.h"

namespace vpntun::config {
namespace {

constexpr std::uint32_t kMinIpv6Mtu = 1280;  // RFC 8200, section 5
constexpr std::uint16_t kFirstFreePort = 1024;

IpAddress broadcast_of(const IpPrefix& prefix) {
  std::array<std::uint8_t, 4> bytes{};
  const IpAddress network = prefix.network().address;
  for (unsigned i = 0; i < bytes.size(); ++i) {
    const unsigned kept = std::min(prefix.length - std::min(prefix.length, i * 8), 8u);
    bytes[i] = static_cast<std::uint8_t>(network.bytes()[i] | (0xffu >> kept));
  }
  return IpAddress::v4(bytes);
}

// A network of two addresses or one has neither network nor broadcast address (RFC 3021, RFC 6164).
std::string why_special(const IpPrefix& address) {
  if (address.length + 2 > address.address.bits()) return "";
  if (address.network().address == address.address)
    return address.address.is_v4() ? "this is the network's own address"
                                   : "this is the subnet-router anycast address";
  if (address.address.is_v4() && broadcast_of(address) == address.address)
    return "this is the network's broadcast address";
  return "";
}

void check_addresses(const Draft& draft, Report& report) {
  std::map<IpAddress, Spot> seen;
  for (const auto& address : draft.addresses) {
    const auto [first, is_new] = seen.try_emplace(address.value.address, address.spot);
    if (!is_new)
      report.add(Code::kAddressTwice, address.spot,
                 fmt::format("{} stands here twice", address.value.address.to_string()),
                 {fmt::format("first in line {}", first->second.place.line), ""});
    if (std::string why = why_special(address.value); !why.empty())
      report.add(Code::kSubnetAddress, address.spot,
                 fmt::format("{} is not the address of a host", address.value.to_string()),
                 {std::move(why), "hosts may refuse to talk to it; take another one"});
  }
}

bool uses_ipv6(const Draft& draft) {
  const auto is_v6 = [](const auto& prefix) { return prefix.value.address.is_v6(); };
  return std::any_of(draft.addresses.begin(), draft.addresses.end(), is_v6) ||
         std::any_of(draft.peers.begin(), draft.peers.end(), [&](const PeerDraft& peer) {
           return std::any_of(peer.allowed_ips.begin(), peer.allowed_ips.end(), is_v6);
         });
}

void check_interface(const Draft& draft, Report& report) {
  if (draft.mtu && draft.mtu->value < kMinIpv6Mtu && uses_ipv6(draft))
    report.add(Code::kMtuForIpv6, draft.mtu->spot,
               fmt::format("expected at least {} with IPv6 addresses, got {}", kMinIpv6Mtu,
                           draft.mtu->value),
               {"the kernel removes IPv6 from an interface with less", ""});
  const std::uint16_t port = draft.profile.interface.listen_port;
  if (port > 0 && port < kFirstFreePort)
    report.add(Code::kPrivilegedPort, draft.listen_port,
               fmt::format("port {} needs the capability CAP_NET_BIND_SERVICE", port),
               {"", fmt::format("take a port of {} or above, or give the unit the drop-in "
                                "privileged-port.conf: vpntund(8)",
                                kFirstFreePort)});
  if (draft.mac_spot && draft.is_tun())
    report.add(Code::kWrongKind, *draft.mac_spot, "a TUN interface has no Ethernet address",
               {"", "remove it, or set kind = \"tap\" under [tunnel]"});
}

void check_routes(const Draft& draft, Report& report) {
  PrefixSet carried;
  bool unclear = false;
  for (const PeerDraft& peer : draft.peers) {
    for (const auto& prefix : peer.allowed_ips) carried.insert(prefix.value);
    unclear = unclear || peer.allowed_ips_unclear;
  }
  std::map<IpPrefix, Spot> seen;
  for (const auto& route : draft.routes) {
    const auto [first, is_new] = seen.try_emplace(route.value, route.spot);
    if (!is_new)
      report.add(Code::kPrefixTwice, route.spot,
                 fmt::format("{} stands here twice", route.value.to_string()),
                 {fmt::format("first in line {}", first->second.place.line), ""});
    if (draft.is_tun() && !unclear && !carried.overlaps(route.value))
      report.add(Code::kRouteWithoutPeer, route.spot,
                 fmt::format("{} is in no peer's allowed-ips", route.value.to_string()),
                 {"nothing would carry these packets",
                  "add it to the allowed-ips of the peer behind which it lies"});
  }
}

void check_forwarding(const Draft& draft, Report& report) {
  const Routing& routing = draft.profile.routing;
  if (routing.masquerade && !routing.forwarding && !draft.forwarding_unclear)
    report.add(Code::kMasquerade, draft.masquerade, "masquerade needs forwarding",
               {"only forwarded packets are rewritten", "add forwarding = true"});
  std::set<std::string> seen;
  for (const auto& name : draft.forwarding_interfaces) {
    if (name.value == draft.profile.interface.name)
      report.add(Code::kForwardingInterface, name.spot,
                 fmt::format("{} is the tunnel's own interface", in_quotes(name.value)),
                 {"packets from it are forwarded anyway", ""});
    if (!seen.insert(name.value).second)
      report.add(Code::kForwardingInterface, name.spot,
                 fmt::format("{} stands here twice", in_quotes(name.value)));
  }
}

}  // namespace

void check_host(const Draft& draft, Report& report) {
  check_addresses(draft, report);
  check_interface(draft, report);
  check_routes(draft, report);
  check_forwarding(draft, report);
}

}  // namespace vpntun::config

#include "ctl/lab/captures.h"

#include <algorithm>
#include <array>
#include <fstream>

#include "base/error.h"
#include "os/link.h"
#include "os/netlink.h"
#include "os/netns.h"
#include "packet/describe.h"
#include "packet/ethernet.h"
#include "packet/ip_view.h"
#include "packet/pcapng.h"

namespace vpntun::lab {
namespace {

using packet::IpView;

bool matches_ip(const Pattern& pattern, std::span<const std::uint8_t> bytes) {
  const auto ip = IpView::parse(bytes);
  if (!ip) return false;
  if (!pattern.source.empty() && ip->source().to_string() != pattern.source) return false;
  if (!pattern.destination.empty() && ip->destination().to_string() != pattern.destination)
    return false;
  const auto icmp_type = [&](int type) {
    const auto icmp = packet::IcmpView::parse(ip->payload());
    return ip->protocol() == packet::kProtocolIcmp && icmp && icmp->type() == type;
  };
  const auto tcp =
      ip->protocol() == packet::kProtocolTcp ? packet::TcpView::parse(ip->payload()) : std::nullopt;
  switch (pattern.what) {
    case Pattern::What::kAny:
      return true;
    case Pattern::What::kEchoRequest:
      return icmp_type(8);
    case Pattern::What::kEchoReply:
      return icmp_type(0);
    case Pattern::What::kUnreachable:
      return icmp_type(3);
    case Pattern::What::kTcp:
      return tcp.has_value();
    case Pattern::What::kTcpWithPayload:
      return tcp && !tcp->payload().empty();
    case Pattern::What::kArpRequest:
    case Pattern::What::kBytes:
    case Pattern::What::kContains:
    case Pattern::What::kWireguardData:
      return false;
  }
  return false;
}

bool matches_arp(const Pattern& pattern, std::span<const std::uint8_t> frame) {
  const auto ethernet = packet::EthernetView::parse(frame);
  if (!ethernet || ethernet->ethertype() != packet::kEtherArp) return false;
  const auto arp = packet::ArpView::parse(ethernet->payload());
  return arp && arp->operation() == packet::ArpView::kRequest &&
         (pattern.source.empty() || arp->sender_ip().to_string() == pattern.source) &&
         (pattern.destination.empty() || arp->target_ip().to_string() == pattern.destination);
}

// Paper, section 5.4.6: type 4 and three zeros, the receiver, a counter; then what is encrypted.
bool is_wireguard_data(std::span<const std::uint8_t> datagram) {
  constexpr std::array<std::uint8_t, 4> kType{4, 0, 0, 0};
  constexpr std::size_t kKeepalive = 32;  // header and tag
  return datagram.size() > kKeepalive && std::equal(kType.begin(), kType.end(), datagram.begin());
}

}  // namespace

std::span<const std::uint8_t> Seen::ip() const noexcept {
  return ethernet ? packet::ip_of_frame(bytes) : std::span<const std::uint8_t>(bytes);
}

std::string Seen::text() const {
  const auto shown = ip();
  const bool frame = ethernet && shown.empty();  // ARP
  return fmt::format(
      "{:<6} {:<5} {:<4} {}", name_of(host), interface, way == Way::kOut ? "out" : "in",
      frame ? packet::describe(bytes, packet::Layer::kEthernet) : packet::describe(shown));
}

std::span<const std::uint8_t> tunnel_payload(std::span<const std::uint8_t> bytes) noexcept {
  const auto ip = IpView::parse(bytes);
  if (!ip || ip->protocol() != packet::kProtocolUdp || ip->is_later_fragment()) return {};
  const auto udp = packet::UdpView::parse(ip->payload());
  if (!udp || (udp->source_port() != kPort && udp->destination_port() != kPort)) return {};
  return udp->payload();
}

bool Pattern::matches(const Seen& seen) const {
  std::span<const std::uint8_t> inner = seen.ip();
  if (in_tunnel) inner = tunnel_payload(inner);
  if (what == What::kArpRequest) {
    // On a TAP interface, or in the tunnel of one: the datagram then carries the frame.
    if (in_tunnel) return !inner.empty() && matches_arp(*this, inner);
    return seen.ethernet && matches_arp(*this, seen.bytes);
  }
  if (what == What::kBytes)
    return std::equal(seen.bytes.begin(), seen.bytes.end(), bytes.begin(), bytes.end());
  if (what == What::kContains)
    return std::search(seen.bytes.begin(), seen.bytes.end(), bytes.begin(), bytes.end()) !=
           seen.bytes.end();
  if (what == What::kWireguardData) return is_wireguard_data(tunnel_payload(seen.ip()));
  return !inner.empty() && matches_ip(*this, inner);
}

Pattern echo_request(std::string_view source, std::string_view destination) {
  return {Pattern::What::kEchoRequest, std::string(source), std::string(destination)};
}

Pattern echo_reply(std::string_view source, std::string_view destination) {
  return {Pattern::What::kEchoReply, std::string(source), std::string(destination)};
}

Pattern containing(std::string_view bytes) {
  Pattern pattern;
  pattern.what = Pattern::What::kContains;
  pattern.bytes = bytes;
  return pattern;
}

Pattern wireguard_data() {
  Pattern pattern;
  pattern.what = Pattern::What::kWireguardData;
  return pattern;
}

Pattern in_tunnel(Pattern pattern) {
  pattern.in_tunnel = true;
  return pattern;
}

void Captures::open(Host host) {
  const os::NetnsScope scope(os::Netns::open(name_of(host)));
  os::NetlinkSocket netlink;
  const auto links = os::list_links(netlink);
  const auto is_there = [&](const Source& source) {
    return std::any_of(links.begin(), links.end(),
                       [&](const os::Link& link) { return link.index == source.index; });
  };
  take();
  std::erase_if(sources_,
                [&](const Source& source) { return source.host == host && !is_there(source); });
  for (const os::Link& link : links) {
    const bool known = std::any_of(sources_.begin(), sources_.end(), [&](const Source& source) {
      return source.host == host && source.index == link.index;
    });
    if (!link.loopback && !known)
      sources_.push_back({host, link.name, link.index, os::PacketSocket::open(link.index)});
  }
}

void Captures::take() {
  for (Source& source : sources_) {
    while (const auto packet = source.socket.receive()) {
      seen_.push_back({source.host,
                       source.interface,
                       packet->outgoing ? Way::kOut : Way::kIn,
                       packet->time,
                       source.socket.ethernet(),
                       {packet->bytes.begin(), packet->bytes.end()}});
    }
    const Known interface { source.host, source.interface, source.socket.ethernet() };
    if (std::find(known_.begin(), known_.end(), interface) == known_.end())
      known_.push_back(interface);
  }
}

std::vector<int> Captures::fds() const {
  std::vector<int> all;
  for (const Source& source : sources_) all.push_back(source.socket.fd());
  return all;
}

const Seen* Captures::find(Host host, std::string_view interface, Way way, const Pattern& pattern,
                           std::size_t from) const {
  for (std::size_t i = from; i < seen_.size(); ++i) {
    const Seen& seen = seen_[i];
    if (seen.host == host && seen.interface == interface && seen.way == way &&
        pattern.matches(seen))
      return &seen;
  }
  return nullptr;
}

std::size_t Captures::count(Host host, std::string_view interface, Way way, const Pattern& pattern,
                            std::size_t from) const {
  return static_cast<std::size_t>(std::count_if(
      seen_.begin() + static_cast<std::ptrdiff_t>(from), seen_.end(), [&](const Seen& seen) {
        return seen.host == host && seen.interface == interface && seen.way == way &&
               pattern.matches(seen);
      }));
}

void Captures::write(const std::string& path) const {
  std::vector<std::uint8_t> out;
  packet::append_section_header(out, "vpntun-lab");
  for (const Known& interface : known_) {
    packet::append_interface(
        out, {interface.ethernet ? packet::LinkType::kEthernet : packet::LinkType::kRaw,
              name_of(interface.host) + ":" + interface.interface,
              interface.interface + " on " + title_of(interface.host), 0});
  }
  std::vector<const Seen*> ordered;
  for (const Seen& seen : seen_) ordered.push_back(&seen);
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const Seen* a, const Seen* b) { return a->time < b->time; });
  for (const Seen* seen : ordered) {
    const Known interface { seen->host, seen->interface, seen->ethernet };
    packet::PcapngPacket packet;
    packet.interface = static_cast<std::uint32_t>(
        std::find(known_.begin(), known_.end(), interface) - known_.begin());
    packet.time = seen->time.time_since_epoch();
    packet.bytes = seen->bytes;
    packet.original_length = seen->bytes.size();
    packet.direction = seen->way == Way::kOut ? packet::Direction::kOut : packet::Direction::kIn;
    packet::append_packet(out, packet);
  }
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(out.data()), static_cast<std::streamsize>(out.size()));
  file.close();
  if (!file) throw Error(ErrorKind::kFailed, "write {}", path);
}

}  // namespace vpntun::lab

#include "packet/describe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "packet/ethernet.h"
#include "packet/ip_view.h"
#include "packet/words.h"

namespace vpntun::packet {
namespace {

constexpr std::size_t kBrokenBytesShown = 16;

std::string ports(const IpView& ip, std::uint16_t source, std::uint16_t destination) {
  return fmt::format("{} --> {}", Endpoint{ip.source(), source, 0}.to_string(),
                     Endpoint{ip.destination(), destination, 0}.to_string());
}

std::string hosts(const IpView& ip) {
  return fmt::format("{} --> {}", ip.source().to_string(), ip.destination().to_string());
}

std::string cut_off(const IpView& ip) {
  return fmt::format("{} {} header cut off after {} bytes", hosts(ip), protocol_name(ip.protocol()),
                     ip.payload().size());
}

// The packet an ICMP error complains about: flow and protocol only.
std::string quoted(std::span<const std::uint8_t> bytes) {
  const auto ip = IpView::parse_quoted(bytes);
  if (!ip) return "";
  const std::string name = protocol_name(ip->protocol());
  // The first eight bytes of UDP and TCP begin with the same ports.
  const bool has_ports = ip->protocol() == kProtocolTcp || ip->protocol() == kProtocolUdp;
  if (const auto udp = UdpView::parse(ip->payload()); udp && has_ports && !ip->is_later_fragment())
    return fmt::format(", about {} {}", ports(*ip, udp->source_port(), udp->destination_port()),
                       name);
  return fmt::format(", about {} {}", hosts(*ip), name);
}

std::string describe_icmp(const IpView& ip) {
  const auto icmp = IcmpView::parse(ip.payload());
  if (!icmp) return cut_off(ip);
  std::string line = fmt::format("{} {} {} ttl {}", hosts(ip), protocol_name(ip.protocol()),
                                 icmp_meaning(ip.family(), *icmp), ip.ttl());
  // An ICMPv6 redirect (137) quotes nothing here.
  if (is_icmp_error(ip.family(), icmp->type()) && icmp->type() < 128)
    line += quoted(icmp->payload());
  return line;
}

std::string describe_tcp(const IpView& ip) {
  const auto tcp = TcpView::parse(ip.payload());
  if (!tcp) return cut_off(ip);
  return fmt::format("{} TCP {} len {}", ports(ip, tcp->source_port(), tcp->destination_port()),
                     tcp_flags(tcp->flags()), tcp->payload().size());
}

std::string describe_udp(const IpView& ip) {
  const auto udp = UdpView::parse(ip.payload());
  if (!udp) return cut_off(ip);
  std::string line =
      fmt::format("{} UDP len {}", ports(ip, udp->source_port(), udp->destination_port()),
                  udp->payload().size());
  if (!udp->length_fits() && !ip.is_fragment())
    line += fmt::format(", its length field says {}", udp->length());
  return line;
}

std::string describe_whole(const IpView& ip) {
  if (ip.protocol() == (ip.is_v4() ? kProtocolIcmp : kProtocolIcmpv6)) return describe_icmp(ip);
  if (ip.protocol() == kProtocolTcp) return describe_tcp(ip);
  if (ip.protocol() == kProtocolUdp) return describe_udp(ip);
  return fmt::format("{} {} len {} ttl {}", hosts(ip), protocol_name(ip.protocol()),
                     ip.payload().size(), ip.ttl());
}

std::string describe_ip(std::span<const std::uint8_t> bytes) {
  IpDefect defect;
  const auto ip = IpView::parse(bytes, defect);
  if (!ip) {
    const auto shown = bytes.first(std::min(bytes.size(), kBrokenBytesShown));
    std::string line =
        fmt::format("broken packet ({} bytes): {}", bytes.size(), defect_text(bytes, defect));
    if (bytes.empty()) return line;
    const std::string_view more = shown.size() < bytes.size() ? " ..." : "";
    return line +
           fmt::format(": {:02x}{} \"{}\"{}", fmt::join(shown, " "), more, printable(shown), more);
  }
  if (ip->is_later_fragment())
    return fmt::format("{} {} fragment id {} offset {} len {}{}", hosts(*ip),
                       protocol_name(ip->protocol()), ip->id(), ip->fragment_offset(),
                       ip->payload().size(), ip->more_fragments() ? ", more follow" : ", last");
  std::string line = describe_whole(*ip);
  if (ip->is_fragment()) line += fmt::format(", first fragment id {}", ip->id());
  return line;
}

std::string macs(const EthernetView& frame) {
  return fmt::format("{} --> {}", frame.source().to_string(), frame.destination().to_string());
}

std::string describe_arp(const EthernetView& frame) {
  const auto arp = ArpView::parse(frame.payload());
  if (!arp) return fmt::format("{} ARP, not for IPv4 or cut off", macs(frame));
  const std::string sender = arp->sender_ip().to_string();
  switch (arp->operation()) {
    case ArpView::kRequest:
      return fmt::format("ARP who-has {} tell {}", arp->target_ip().to_string(), sender);
    case ArpView::kReply:
      return fmt::format("ARP {} is-at {}", sender, arp->sender_mac().to_string());
    default:
      return fmt::format("ARP operation {} from {}", arp->operation(), sender);
  }
}

std::string describe_frame(std::span<const std::uint8_t> bytes) {
  const auto frame = EthernetView::parse(bytes);
  if (!frame)
    return fmt::format("broken frame ({} bytes): the Ethernet header is cut off: {:02x}",
                       bytes.size(), fmt::join(bytes, " "));
  std::string line;
  if (frame->vlan()) line = fmt::format("vlan {} ", *frame->vlan());
  switch (frame->ethertype()) {
    case kEtherIpv4:
    case kEtherIpv6:
      return line + describe_ip(ip_of_frame(bytes));
    case kEtherArp:
      return line + describe_arp(*frame);
    default:
      return line + fmt::format("{} ethertype 0x{:04x} len {}", macs(*frame), frame->ethertype(),
                                frame->payload().size());
  }
}

}  // namespace

std::string describe(std::span<const std::uint8_t> bytes, Layer layer) {
  return layer == Layer::kIp ? describe_ip(bytes) : describe_frame(bytes);
}

std::string describe_flow(std::span<const std::uint8_t> bytes, Layer layer) {
  const auto packet = layer == Layer::kIp ? bytes : ip_of_frame(bytes);
  if (const auto ip = IpView::parse_quoted(packet))
    return fmt::format("{} -> {}", ip->source().to_string(), ip->destination().to_string());
  if (layer == Layer::kEthernet)
    if (const auto frame = EthernetView::parse(bytes))
      return fmt::format("{} -> {}", frame->source().to_string(), frame->destination().to_string());
  return fmt::format("{} bytes", bytes.size());
}

}  // namespace vpntun::packet

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "packet/describe.h"
#include "packet/ethernet.h"
#include "packet/ip_view.h"
#include "packet/words.h"

namespace vpntun::packet {
namespace {

constexpr std::size_t kBytesPerLine = 16;

struct Part {
  std::string name;
  std::size_t length;  // bytes
};

std::string ip_header_name(const IpView& ip) {
  if (!ip.is_v4())
    return fmt::format("IPv6 header: {} --> {}, hop limit {}, {}", ip.source().to_string(),
                       ip.destination().to_string(), ip.ttl(), protocol_name(ip.protocol()));
  return fmt::format("IPv4 header: {} --> {}, id {}{}, ttl {}, {}", ip.source().to_string(),
                     ip.destination().to_string(), ip.id(), ip.dont_fragment() ? ", DF" : "",
                     ip.ttl(), protocol_name(ip.protocol()));
}

void add_transport(const IpView& ip, std::vector<Part>& parts) {
  if (ip.is_later_fragment()) return;
  const auto payload = ip.payload();
  if (ip.protocol() == kProtocolTcp) {
    if (const auto tcp = TcpView::parse(payload))
      parts.push_back({fmt::format("TCP header: port {} --> {}, {}", tcp->source_port(),
                                   tcp->destination_port(), tcp_flags(tcp->flags())),
                       tcp->header_length()});
  } else if (ip.protocol() == kProtocolUdp) {
    if (const auto udp = UdpView::parse(payload))
      parts.push_back(
          {fmt::format("UDP header: port {} --> {}", udp->source_port(), udp->destination_port()),
           8});
  } else if (ip.protocol() == (ip.is_v4() ? kProtocolIcmp : kProtocolIcmpv6)) {
    if (const auto icmp = IcmpView::parse(payload))
      parts.push_back({fmt::format("{} header: {}", protocol_name(ip.protocol()),
                                   icmp_meaning(ip.family(), *icmp)),
                       8});
  }
}

void add_ip(std::span<const std::uint8_t> bytes, std::vector<Part>& parts) {
  IpDefect defect;
  const auto ip = IpView::parse(bytes, defect);
  if (!ip) {
    parts.push_back({fmt::format("broken packet: {}", defect_text(bytes, defect)), bytes.size()});
    return;
  }
  parts.push_back({ip_header_name(*ip), ip->header_length()});
  add_transport(*ip, parts);
}

// The parts cover a prefix of the bytes; what is behind them is payload.
std::vector<Part> parts_of(std::span<const std::uint8_t> bytes, Layer layer) {
  std::vector<Part> parts;
  if (layer == Layer::kIp) {
    add_ip(bytes, parts);
    return parts;
  }
  const auto frame = EthernetView::parse(bytes);
  if (!frame) return {{"broken frame: the Ethernet header is cut off", bytes.size()}};
  parts.push_back(
      {fmt::format("Ethernet header: {} --> {}, type 0x{:04x}", frame->source().to_string(),
                   frame->destination().to_string(), frame->ethertype()),
       frame->header_length()});
  if (const auto packet = ip_of_frame(bytes); !packet.empty())
    add_ip(packet, parts);
  else if (frame->ethertype() == kEtherArp && ArpView::parse(frame->payload()))
    parts.push_back({"ARP for IPv4 over Ethernet", 28});
  return parts;
}

void append_lines(std::string& text, std::span<const std::uint8_t> bytes, std::size_t offset) {
  for (std::size_t at = 0; at < bytes.size(); at += kBytesPerLine) {
    const auto line = bytes.subspan(at, std::min(kBytesPerLine, bytes.size() - at));
    const std::string hex = fmt::format("{:02x}", fmt::join(line, " "));
    text += fmt::format("  {:04x}  {:<47}  {}\n", offset + at, hex, printable(line));
  }
}

}  // namespace

std::string hex_dump(std::span<const std::uint8_t> bytes, Layer layer, std::size_t maximum) {
  std::vector<Part> parts = parts_of(bytes, layer);
  std::size_t covered = 0;
  for (const Part& part : parts) covered += part.length;
  if (covered < bytes.size()) parts.push_back({"payload", bytes.size() - covered});

  std::string text;
  std::size_t offset = 0;
  for (const Part& part : parts) {
    text += fmt::format("{} ({} bytes)\n", part.name, part.length);
    const std::size_t shown = std::min(part.length, maximum - std::min(maximum, offset));
    append_lines(text, bytes.subspan(offset, shown), offset);
    offset += part.length;
  }
  if (bytes.size() > maximum) text += fmt::format("  ... {} more bytes\n", bytes.size() - maximum);
  return text;
}

}  // namespace vpntun::packet

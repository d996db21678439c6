#include "packet/build.h"

#include <algorithm>

#include "base/error.h"
#include "base/wire.h"
#include "packet/checksum.h"
#include "packet/ethernet.h"
#include "packet/ip_view.h"

namespace vpntun::packet {
namespace {

constexpr std::size_t kUdpHeader = 8;
constexpr std::size_t kMaxLength = 65535;
constexpr MacAddress kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

std::size_t ip_header_length(const IpAddress& address) noexcept {
  return address.is_v4() ? 20 : 40;
}

std::uint16_t length_field(std::size_t length) noexcept {
  return static_cast<std::uint16_t>(std::min(length, kMaxLength));
}

// Into at least ip_header_length() zero bytes.
void write_ip_header(const IpFields& ip, std::uint8_t protocol, std::size_t payload_length,
                     std::span<std::uint8_t> out) noexcept {
  std::uint8_t* at = out.data();
  if (ip.source.is_v4()) {
    at[0] = 0x45;
    at[1] = ip.traffic_class;
    store_be(at + 2, length_field(20 + payload_length));
    store_be(at + 4, ip.id);
    store_be(at + 6, static_cast<std::uint16_t>(ip.dont_fragment ? 0x4000 : 0));
    at[8] = ip.ttl;
    at[9] = protocol;
    std::ranges::copy(ip.source.bytes(), at + 12);
    std::ranges::copy(ip.destination.bytes(), at + 16);
    store_be(at + 10, internet_checksum(out.first(20)));
    return;
  }
  store_be(at, (std::uint32_t{6} << 28) | (std::uint32_t{ip.traffic_class} << 20));
  store_be(at + 4, length_field(payload_length));
  at[6] = protocol;
  at[7] = ip.ttl;
  std::ranges::copy(ip.source.bytes(), at + 8);
  std::ranges::copy(ip.destination.bytes(), at + 24);
}

// Into eight zero bytes. RFC 768: a computed checksum of 0 is sent as all ones.
void write_udp_header(const IpAddress& source, std::uint16_t source_port,
                      const IpAddress& destination, std::uint16_t destination_port,
                      std::span<const std::uint8_t> payload, std::uint8_t* at) noexcept {
  const std::size_t length = kUdpHeader + payload.size();
  store_be(at, source_port);
  store_be(at + 2, destination_port);
  store_be(at + 4, length_field(length));
  ChecksumSum sum;
  sum.add_pseudo_header(source, destination, kProtocolUdp, length);
  sum.add({at, kUdpHeader});
  sum.add(payload);
  const std::uint16_t checksum = sum.checksum();
  store_be(at + 6, static_cast<std::uint16_t>(checksum == 0 ? 0xffff : checksum));
}

void check(const IpFields& ip, std::size_t payload_length) {
  if (ip.source.family() != ip.destination.family())
    throw Error(ErrorKind::kInvalidArguments, "build a packet from {} to {}: two address families",
                ip.source.to_string(), ip.destination.to_string());
  const std::size_t counted = payload_length + (ip.source.is_v4() ? 20 : 0);
  if (counted > kMaxLength)
    throw Error(ErrorKind::kInvalidArguments,
                "build a packet with {} bytes of payload: longer than an IP packet can be",
                payload_length);
}

Bytes build_arp(const MacAddress& to, std::uint16_t operation, const MacAddress& sender_mac,
                const IpAddress& sender, const MacAddress& target_mac, const IpAddress& target) {
  if (!sender.is_v4() || !target.is_v4())
    throw Error(ErrorKind::kInvalidArguments, "build an ARP frame: ARP is for IPv4");
  Bytes arp{0, 1, 8, 0, 6, 4, 0, static_cast<std::uint8_t>(operation)};
  const auto append = [&arp](std::span<const std::uint8_t> bytes) {
    arp.insert(arp.end(), bytes.begin(), bytes.end());
  };
  append(sender_mac.bytes);
  append(sender.bytes());
  append(target_mac.bytes);
  append(target.bytes());
  return build_frame(to, sender_mac, kEtherArp, arp);
}

}  // namespace

Bytes build_ip(const IpFields& ip, std::uint8_t protocol, std::span<const std::uint8_t> payload) {
  check(ip, payload.size());
  Bytes packet(ip_header_length(ip.source));
  write_ip_header(ip, protocol, payload.size(), packet);
  packet.insert(packet.end(), payload.begin(), payload.end());
  return packet;
}

Bytes build_udp(const IpFields& ip, std::uint16_t source_port, std::uint16_t destination_port,
                std::span<const std::uint8_t> payload) {
  check(ip, kUdpHeader + payload.size());
  Bytes datagram(kUdpHeader);
  write_udp_header(ip.source, source_port, ip.destination, destination_port, payload,
                   datagram.data());
  datagram.insert(datagram.end(), payload.begin(), payload.end());
  return build_ip(ip, kProtocolUdp, datagram);
}

Bytes build_echo(const IpFields& ip, const Echo& echo, std::span<const std::uint8_t> payload) {
  check(ip, 8 + payload.size());
  const bool v4 = ip.source.is_v4();
  Bytes message(8);
  if (v4)
    message[0] = echo.reply ? 0 : 8;
  else
    message[0] = echo.reply ? 129 : 128;
  store_be(message.data() + 4, echo.id);
  store_be(message.data() + 6, echo.sequence);
  message.insert(message.end(), payload.begin(), payload.end());
  store_be(message.data() + 2,
           v4 ? internet_checksum(message)
              : transport_checksum(ip.source, ip.destination, kProtocolIcmpv6, message));
  return build_ip(ip, v4 ? kProtocolIcmp : kProtocolIcmpv6, message);
}

Bytes build_frame(const MacAddress& destination, const MacAddress& source, std::uint16_t ethertype,
                  std::span<const std::uint8_t> payload) {
  Bytes frame(kEthernetHeader + payload.size());
  std::ranges::copy(destination.bytes, frame.begin());
  std::ranges::copy(source.bytes, frame.begin() + 6);
  store_be(frame.data() + 12, ethertype);
  std::ranges::copy(payload, frame.begin() + kEthernetHeader);
  return frame;
}

Bytes build_arp_request(const MacAddress& sender_mac, const IpAddress& sender,
                        const IpAddress& wanted) {
  return build_arp(kBroadcast, ArpView::kRequest, sender_mac, sender, MacAddress{}, wanted);
}

Bytes build_arp_reply(const MacAddress& sender_mac, const IpAddress& sender,
                      const MacAddress& asker_mac, const IpAddress& asker) {
  return build_arp(asker_mac, ArpView::kReply, sender_mac, sender, asker_mac, asker);
}

OuterHeaders wrap_udp(const Endpoint& source, const Endpoint& destination,
                      std::span<const std::uint8_t> payload) noexcept {
  IpFields ip{.source = source.address, .destination = destination.address};
  if (ip.source.family() != ip.destination.family())
    ip.source = IpAddress::unspecified(ip.destination.family());
  OuterHeaders headers;
  const std::size_t ip_length = ip_header_length(ip.source);
  headers.length = ip_length + kUdpHeader;
  write_ip_header(ip, kProtocolUdp, kUdpHeader + payload.size(), headers.storage);
  write_udp_header(ip.source, source.port, ip.destination, destination.port, payload,
                   headers.storage.data() + ip_length);
  return headers;
}

}  // namespace vpntun::packet

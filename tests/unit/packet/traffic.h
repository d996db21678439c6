// TCP and UDP packets of every shape for the tests of segmentation and coalescing, built the slow
// way, with the pieces named.
#pragma once

#include <algorithm>

#include "base/wire.h"
#include "bytes.h"
#include "packet/checksum.h"
#include "packet/ethernet.h"
#include "packet/ip_view.h"
#include "packet/vnet_header.h"

namespace vpntun::packet {

struct Shape {
  bool v4 = true;
  bool tcp = true;
  Bytes ethernet{};    // in front: 14 bytes, or 18 with a tag; its type is set
  Bytes ip_options{};  // IPv4: a multiple of 4 bytes
  Bytes extensions{};  // IPv6: headers of 8 bytes each, the first named by `extension`
  std::uint8_t extension = 60;
  std::uint8_t traffic_class = 0;
  std::uint8_t ttl = 64;
  std::uint16_t id = 1;
  bool dont_fragment = true;
  std::uint32_t flow_label = 0;
  std::uint8_t source_host = 1;  // the last byte of the address
  std::uint16_t source_port = 40000;
  std::uint16_t destination_port = 5001;
  std::uint32_t sequence = 1000;
  std::uint32_t acknowledgment = 77;
  std::uint8_t flags = TcpView::kAck;
  std::uint16_t window = 512;
  std::uint16_t urgent = 0;
  Bytes tcp_options{};  // a multiple of 4 bytes

  std::size_t network() const { return ethernet.size(); }
  std::size_t transport() const {
    return network() + (v4 ? 20 + ip_options.size() : 40 + extensions.size());
  }
  std::size_t headers() const { return transport() + (tcp ? 20 + tcp_options.size() : 8); }
};

inline void append(Bytes& bytes, const Bytes& more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

// The sum of the pseudo-header, folded.
inline std::uint16_t pseudo_sum(const Bytes& packet, const Shape& shape) {
  const auto ip = std::span(packet).subspan(shape.network());
  const auto addresses = shape.v4 ? ip.subspan(12, 8) : ip.subspan(8, 32);
  std::uint64_t sum = packet.size() - shape.transport() + (shape.tcp ? 6u : 17u);
  for (std::size_t i = 0; i < addresses.size(); i += 2)
    sum += load_be<std::uint16_t>(&addresses[i]);
  return folded_sum(sum);
}

inline std::uint8_t* checksum_field(Bytes& packet, const Shape& shape) {
  return &packet[shape.transport() + (shape.tcp ? 16 : 6)];
}

// Writes the header checksum and the transport checksum anew.
inline void set_checksums(Bytes& packet, const Shape& shape) {
  std::uint8_t* ip = &packet[shape.network()];
  if (shape.v4) {
    store_be(ip + 10, std::uint16_t{0});
    store_be(ip + 10, internet_checksum({ip, 20 + shape.ip_options.size()}));
  }
  std::uint8_t* field = checksum_field(packet, shape);
  store_be(field, pseudo_sum(packet, shape));
  const std::uint16_t sum = internet_checksum(std::span(packet).subspan(shape.transport()));
  store_be(field, !shape.tcp && sum == 0 ? std::uint16_t{0xffff} : sum);
}

inline Bytes ip_header(const Shape& shape, std::size_t rest) {
  const IpAddress from = ip(shape.v4 ? "10.9.0.0" : "fd00:9::");
  const IpAddress to = ip(shape.v4 ? "10.9.0.200" : "fd00:9::c8");
  const std::uint8_t protocol = shape.tcp ? kProtocolTcp : kProtocolUdp;
  Bytes header(shape.v4 ? 20 : 40);
  if (shape.v4) {
    header[0] = static_cast<std::uint8_t>(0x45 + shape.ip_options.size() / 4);
    header[1] = shape.traffic_class;
    store_be(&header[2], static_cast<std::uint16_t>(20 + shape.ip_options.size() + rest));
    store_be(&header[4], shape.id);
    header[6] = shape.dont_fragment ? 0x40 : 0;
    header[8] = shape.ttl;
    header[9] = protocol;
    std::ranges::copy(from.bytes(), header.begin() + 12);
    std::ranges::copy(to.bytes(), header.begin() + 16);
    header[15] = shape.source_host;
    append(header, shape.ip_options);
    return header;
  }
  store_be(&header[0], 0x60000000u | std::uint32_t{shape.traffic_class} << 20 | shape.flow_label);
  store_be(&header[4], static_cast<std::uint16_t>(shape.extensions.size() + rest));
  header[6] = shape.extensions.empty() ? protocol : shape.extension;
  header[7] = shape.ttl;
  std::ranges::copy(from.bytes(), header.begin() + 8);
  std::ranges::copy(to.bytes(), header.begin() + 24);
  header[23] = shape.source_host;
  append(header, shape.extensions);
  return header;
}

// Correct lengths and checksums.
inline Bytes packet_of(const Shape& shape, const Bytes& payload) {
  Bytes transport(shape.tcp ? 20 : 8);
  store_be(&transport[0], shape.source_port);
  store_be(&transport[2], shape.destination_port);
  if (shape.tcp) {
    store_be(&transport[4], shape.sequence);
    store_be(&transport[8], shape.acknowledgment);
    transport[12] = static_cast<std::uint8_t>((20 + shape.tcp_options.size()) * 4);
    transport[13] = shape.flags;
    store_be(&transport[14], shape.window);
    store_be(&transport[18], shape.urgent);
    append(transport, shape.tcp_options);
  } else {
    store_be(&transport[4], static_cast<std::uint16_t>(8 + payload.size()));
  }
  append(transport, payload);
  Bytes packet = shape.ethernet;
  if (!packet.empty())
    store_be(&packet[packet.size() - 2], std::uint16_t{shape.v4 ? kEtherIpv4 : kEtherIpv6});
  append(packet, ip_header(shape, transport.size()));
  append(packet, transport);
  set_checksums(packet, shape);
  return packet;
}

inline Bytes ethernet_header(bool tagged) {
  Bytes header = hex("021122334455 029988776655");
  append(header, tagged ? hex("8100 0064 0000") : hex("0000"));
  return header;
}

inline Layer layer_of(const Shape& shape) {
  return shape.ethernet.empty() ? Layer::kIp : Layer::kEthernet;
}

inline Offload offload_of(const Shape& shape, std::size_t segment_size) {
  return {.segmentation = !shape.tcp ? Segmentation::kUdp
                          : shape.v4 ? Segmentation::kTcp4
                                     : Segmentation::kTcp6,
          .segment_size = static_cast<std::uint16_t>(segment_size),
          .checksum_missing = true,
          .checksum_start = static_cast<std::uint16_t>(shape.transport()),
          .checksum_offset = static_cast<std::uint16_t>(shape.tcp ? 16 : 6),
          .header_length = static_cast<std::uint16_t>(shape.headers())};
}

// A packet as the kernel hands it over: only the pseudo-header is in the transport checksum.
inline Bytes unfinished(const Shape& shape, const Bytes& payload) {
  Bytes packet = packet_of(shape, payload);
  store_be(checksum_field(packet, shape), pseudo_sum(packet, shape));
  return packet;
}

// Any shape that the kernel could cut. Never SYN or RST.
inline Shape random_shape(Chance& chance) {
  Shape shape;
  shape.v4 = chance.between(0, 1) != 0;
  shape.tcp = chance.between(0, 2) != 0;
  if (chance.between(0, 2) == 0) shape.ethernet = ethernet_header(chance.between(0, 1) != 0);
  if (shape.v4 && chance.between(0, 5) == 0)
    shape.ip_options = Bytes(4 * chance.between(1, 10), 1);  // no operation
  if (!shape.v4 && chance.between(0, 5) == 0)
    for (std::size_t i = chance.between(1, 3); i > 0; --i) {
      const std::uint8_t last = shape.tcp ? kProtocolTcp : kProtocolUdp;
      append(shape.extensions, {i > 1 ? std::uint8_t{60} : last, 0, 1, 4, 0, 0, 0, 0});
    }
  shape.traffic_class = chance.byte();
  shape.ttl = chance.byte();
  shape.id = static_cast<std::uint16_t>(chance.between(0, 0xffff));
  shape.dont_fragment = chance.between(0, 1) != 0;
  shape.flow_label = static_cast<std::uint32_t>(chance.between(0, 0xfffff));
  shape.source_port = static_cast<std::uint16_t>(chance.between(0, 0xffff));
  shape.sequence = static_cast<std::uint32_t>(chance.between(0, 0xffffffff));
  shape.acknowledgment = static_cast<std::uint32_t>(chance.between(0, 0xffffffff));
  constexpr unsigned kSynRst = TcpView::kSyn | TcpView::kRst;
  shape.flags = static_cast<std::uint8_t>((chance.byte() & ~kSynRst) | TcpView::kAck);
  shape.window = static_cast<std::uint16_t>(chance.between(0, 0xffff));
  shape.urgent = static_cast<std::uint16_t>(chance.between(0, 3));
  if (chance.between(0, 1) != 0) shape.tcp_options = chance.bytes(4 * chance.between(1, 10));
  return shape;
}

}  // namespace vpntun::packet

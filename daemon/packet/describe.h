// Packets in words: one line each for people, used by `vpnctl capture`, drop reports and the lab.
// Never trusts a length; text from the wire is escaped. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "packet/ethernet.h"

namespace vpntun::packet {

// "192.168.53.99 --> 192.168.60.101 ICMP echo request id 77 seq 1 ttl 64"
// "192.168.53.99:40112 --> 192.168.60.101:23 TCP SYN,ACK len 5"
// "10.0.2.7:40000 --> 10.0.2.8:9090 UDP len 84"
// "ARP who-has 192.168.53.1 tell 192.168.53.99"
// "broken packet (5 bytes): version nibble 6 but 35 of 40 header bytes are missing: 65 76 69 61 6e
// "evian""
std::string describe(std::span<const std::uint8_t> bytes, Layer layer = Layer::kIp);

// "192.168.53.7 -> 10.0.0.1"; of a frame without IP, its MAC addresses; of a broken packet, "5
// bytes".
std::string describe_flow(std::span<const std::uint8_t> bytes, Layer layer = Layer::kIp);

// Several lines, each ending in a newline: the headers and the payload one below the other, 16
// bytes a line with offset, hex and printable characters, each part named. At most maximum bytes
// are shown; the rest is counted.
std::string hex_dump(std::span<const std::uint8_t> bytes, Layer layer = Layer::kIp,
                     std::size_t maximum = 512);

}  // namespace vpntun::packet

// Names of protocols, messages and defects, shared by the one-line description and the hex dump.
// Private to this room. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "packet/ip_view.h"

namespace vpntun::packet {

// "TCP"; "protocol 99" for one without a name here.
std::string protocol_name(std::uint8_t protocol);
// "SYN,ACK"; "no flags".
std::string tcp_flags(std::uint8_t flags);
// What is wrong with bytes that IpView::parse refused: "version nibble 9, neither 4 nor 6".
std::string defect_text(std::span<const std::uint8_t> bytes, IpDefect defect);
// The meaning of an ICMP or ICMPv6 message with its parameters: "echo request id 77 seq 1".
std::string icmp_meaning(Family family, const IcmpView& icmp);
// The bytes as text, '.' for what cannot be printed.
std::string printable(std::span<const std::uint8_t> bytes);

}  // namespace vpntun::packet

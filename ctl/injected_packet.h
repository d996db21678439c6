// The packet of `vpnctl inject`: the bytes that the options ask for. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/verbs.h"

namespace vpntun::ctl {

inline constexpr std::size_t kMaxInjected = 65535;  // bytes

// Two digits a byte; white space and colons between bytes are skipped. Throws Failure (usage).
std::vector<std::uint8_t> parse_hex(std::string_view digits);

// Throws Failure (usage) unless exactly one source of bytes is given, with options that go with it.
void check_sources(const Options& options);
// Throws Failure (usage) for a built IP packet and a tunnel of kind "tap", which takes Ethernet
// frames.
void check_kind(const Options& options, std::string_view kind);

// The packet of --hex, --text, --icmp or --udp; requires that one of them is given. Throws Failure
// (usage) when the parts make no packet.
std::vector<std::uint8_t> build_packet(const Options& options);

}  // namespace vpntun::ctl

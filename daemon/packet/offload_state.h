// What the kernel can do for many packets at once, and whether it does it for a tunnel. The ports
// find it out; worker, session and bus carry it into the status. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/tunnel_state.h"

namespace vpntun::packet {

// In the words of linux/if_tun.h (TUN_F_) and udp(7).
enum class OffloadKind : std::uint8_t {
  kTso4,        // TCP passes the interface in superpackets, both ways
  kTso6,        // the same over IPv6
  kUso4,        // the same of UDP; Linux 6.2
  kUso6,        //
  kUdpSegment,  // the kernel cuts runs of outer datagrams
  kUdpGro,      // the kernel gathers runs of outer datagrams
};
// tso4 tso6 uso4 uso6 udp-segment udp-gro
std::string_view to_string(OffloadKind kind) noexcept;

struct OffloadState {
  enum class Is : std::uint8_t {
    kOn,
    kForbidden,      // by the options of the port
    kNotSupported,   // the kernel said no when it was asked for it
    kOpenedWithout,  // an earlier process opened the interface without it
    kRefused,        // it was on, until the kernel refused a packet
  };

  OffloadKind kind{};
  Is is = Is::kOn;
  int error_number = 0;  // what the kernel said, of kNotSupported and kRefused

  bool on() const noexcept { return is == Is::kOn; }
  bool operator==(const OffloadState&) const = default;
};

// In the order of OffloadKind; one that does not come in question is not there.
using OffloadStates = std::vector<OffloadState>;

// At the start. error_number: what the kernel said when it was asked; 0: yes, or nobody asked.
OffloadState first_state(OffloadKind kind, bool wanted, int error_number) noexcept;

// Why it is off: forbidden not-supported opened-without refused; empty when it is on.
Reason reason_of(const OffloadState& state);

}  // namespace vpntun::packet

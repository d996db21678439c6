// What `vpnctl wait` waits for. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "ctl/client.h"
#include "ctl/tunnel_info.h"

namespace vpntun::ctl {

// wanted: "configured" (it runs), "handshake" (and a peer was heard: with
// WireGuard, a handshake with it succeeded) or "traffic" (it is healthy,
// and packets passed both ways).
bool is_reached(const TunnelInfo& tunnel, std::string_view wanted);
// Where it is instead.
Failure waited_in_vain(const TunnelInfo& tunnel, std::string_view wanted, std::uint32_t seconds);

}  // namespace vpntun::ctl

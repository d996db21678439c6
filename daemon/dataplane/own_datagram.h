// Recognises the tunnel's own datagrams where inner packets are expected. Pure.
#pragma once

#include <cstdint>
#include <span>

#include "base/address.h"

namespace vpntun::dataplane {

// Whether an inner packet is a datagram to the peer's own endpoint, routed back into the tunnel: it
// would come again, larger each time.
bool is_own_datagram(std::span<const std::uint8_t> packet, const Endpoint& endpoint) noexcept;

}  // namespace vpntun::dataplane

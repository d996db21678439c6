// The constants of the paper (section 6.1 and 6.5) under its names, and the two instants that stand
// for "not yet" and "not at all". Pure.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/time.h"

namespace vpntun::wg {

// Stays a peer's for as long as it is there, and is given to another only afterwards.
using PeerId = std::uint32_t;
inline constexpr PeerId kNobody = ~PeerId{0};

// Messages of one session in one direction.
inline constexpr std::uint64_t kRekeyAfterMessages = std::uint64_t{1} << 60;
inline constexpr std::uint64_t kRejectAfterMessages =
    ~std::uint64_t{0} - (std::uint64_t{1} << 13);  // 2^64 - 2^13 - 1

inline constexpr Duration kRekeyAfterTime = std::chrono::seconds(120);
inline constexpr Duration kRejectAfterTime = std::chrono::seconds(180);
inline constexpr Duration kRekeyAttemptTime = std::chrono::seconds(90);
inline constexpr Duration kRekeyTimeout = std::chrono::seconds(5);
inline constexpr Duration kRekeyJitter = std::chrono::milliseconds(334);  // at most
inline constexpr Duration kKeepaliveTimeout = std::chrono::seconds(10);
inline constexpr Duration kZeroAfterTime = 3 * kRejectAfterTime;
// Accepted of one peer: one initiation in so much time.
inline constexpr Duration kInitiationSpacing = std::chrono::milliseconds(20);

// Nothing is ever added to kNever, nothing subtracted from kLongAgo.
inline constexpr Instant kNever = Instant::max();
inline constexpr Instant kLongAgo = Instant::min();

}  // namespace vpntun::wg

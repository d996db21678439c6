#include "packet/ecn.h"

#include "base/wire.h"
#include "packet/checksum.h"

namespace vpntun::packet {
namespace {

constexpr std::uint8_t kEcnMask = 3;
constexpr std::uint8_t kNotCapable = 0;
constexpr std::uint8_t kCongestion = 3;
constexpr std::size_t kIpv4Checksum = 10;  // offset

bool is_v4(std::span<const std::uint8_t> packet) noexcept {
  return packet.size() >= 20 && packet[0] >> 4 == 4;
}
bool is_v6(std::span<const std::uint8_t> packet) noexcept {
  return packet.size() >= 40 && packet[0] >> 4 == 6;
}

}  // namespace

std::uint8_t ecn_of(std::span<const std::uint8_t> packet) noexcept {
  if (is_v4(packet)) return packet[1] & kEcnMask;
  if (is_v6(packet)) return static_cast<std::uint8_t>(packet[1] >> 4) & kEcnMask;
  return kNotCapable;
}

void carry_congestion(std::uint8_t outer_traffic_class, std::span<std::uint8_t> packet) noexcept {
  if ((outer_traffic_class & kEcnMask) != kCongestion || ecn_of(packet) == kNotCapable) return;
  if (is_v6(packet)) {
    packet[1] = static_cast<std::uint8_t>(packet[1] | (kCongestion << 4));
    return;
  }
  const auto before = load_be<std::uint16_t>(packet.data());
  packet[1] = packet[1] | kCongestion;
  store_be(packet.data() + kIpv4Checksum,
           updated_checksum(load_be<std::uint16_t>(packet.data() + kIpv4Checksum), before,
                            load_be<std::uint16_t>(packet.data())));
}

}  // namespace vpntun::packet

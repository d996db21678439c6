// Numbers of the pcapng format that its writer and its reader share (draft-ietf-opsawg-pcapng,
// sections 3 and 4). Private to this room.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vpntun::packet {

inline constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
inline constexpr std::uint32_t kInterfaceDescription = 1;
inline constexpr std::uint32_t kInterfaceStatistics = 5;
inline constexpr std::uint32_t kEnhancedPacket = 6;
inline constexpr std::uint32_t kDecryptionSecrets = 10;
inline constexpr std::uint32_t kByteOrderMagic = 0x1a2b3c4d;

inline constexpr std::uint16_t kOptionEnd = 0;
inline constexpr std::uint16_t kOptionComment = 1;
inline constexpr std::uint16_t kOptionApplication = 4;           // section header
inline constexpr std::uint16_t kOptionInterfaceName = 2;         // interface description
inline constexpr std::uint16_t kOptionInterfaceDescription = 3;  // interface description
inline constexpr std::uint16_t kOptionTimeResolution = 9;        // interface description
inline constexpr std::uint16_t kOptionPacketFlags = 2;           // enhanced packet
inline constexpr std::uint16_t kOptionReceived = 4;              // interface statistics
inline constexpr std::uint16_t kOptionDropped = 5;               // interface statistics

// Packets and option values fill up to 32 bits.
constexpr std::size_t padded(std::size_t length) noexcept {
  return (length + 3) / 4 * 4;
}

}  // namespace vpntun::packet

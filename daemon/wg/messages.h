// The messages of WireGuard as they lie on the wire (paper, section 5.4): views that are checked
// once when they are parsed, and values that are written. Integers are little endian, reserved
// bytes zero. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "crypto/crypto.h"

namespace vpntun::wg {

using crypto::Bytes;
using crypto::MutableBytes;

enum class MessageType : std::uint8_t {
  kInitiation = 1,
  kResponse = 2,
  kCookieReply = 3,
  kData = 4,
};

inline constexpr std::size_t kInitiationSize = 148;  // bytes
inline constexpr std::size_t kResponseSize = 92;
inline constexpr std::size_t kCookieReplySize = 64;
inline constexpr std::size_t kDataHeaderSize = 16;
inline constexpr std::size_t kDataOverhead = kDataHeaderSize + crypto::kTagSize;  // 32
inline constexpr std::size_t kPadding = 16;
inline constexpr std::size_t kTimestampSize = 12;
inline constexpr std::size_t kMacsSize = 2 * crypto::kMacSize;  // mac1 and mac2 end both handshakes

// TAI64N label: 8 bytes of seconds and 4 of nanoseconds, big endian; the order of the bytes is that
// of time.
using Timestamp = std::array<std::uint8_t, kTimestampSize>;

struct Initiation {
  std::uint32_t sender = 0;  // index
  crypto::PublicKey ephemeral;
  std::array<std::uint8_t, crypto::kKeySize + crypto::kTagSize> sealed_static{};
  std::array<std::uint8_t, kTimestampSize + crypto::kTagSize> sealed_timestamp{};
  crypto::Mac mac1{};
  crypto::Mac mac2{};
};

struct Response {
  std::uint32_t sender = 0;
  std::uint32_t receiver = 0;
  crypto::PublicKey ephemeral;
  std::array<std::uint8_t, crypto::kTagSize> sealed_nothing{};
  crypto::Mac mac1{};
  crypto::Mac mac2{};
};

struct CookieReply {
  std::uint32_t receiver = 0;
  std::array<std::uint8_t, crypto::kXNonceSize> nonce{};
  std::array<std::uint8_t, crypto::kMacSize + crypto::kTagSize> sealed_cookie{};
};

struct DataHeader {
  std::uint32_t receiver = 0;
  std::uint64_t counter = 0;
};

// The type, when the datagram is of a size that its type may have and its reserved bytes are zero.
std::optional<MessageType> type_of(Bytes datagram) noexcept;

// Require type_of(datagram) to be theirs.
Initiation read_initiation(Bytes datagram) noexcept;
Response read_response(Bytes datagram) noexcept;
CookieReply read_cookie_reply(Bytes datagram) noexcept;
DataHeader read_data_header(Bytes datagram) noexcept;

std::array<std::uint8_t, kInitiationSize> write(const Initiation& message) noexcept;
std::array<std::uint8_t, kResponseSize> write(const Response& message) noexcept;
std::array<std::uint8_t, kCookieReplySize> write(const CookieReply& message) noexcept;
// The first kDataHeaderSize bytes of out.
void write(const DataHeader& header, MutableBytes out) noexcept;

// A handshake message (initiation or response) up to its mac1, which covers it; and up to its mac2.
Bytes before_mac1(Bytes handshake) noexcept;
Bytes before_mac2(Bytes handshake) noexcept;

}  // namespace vpntun::wg

// What the data plane counts: traffic, and every discarded packet under exactly one reason with the
// last offender. Written by the worker that holds the tables, read by any thread meanwhile.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "packet/pcapng.h"

namespace vpntun::dataplane {

enum class DropReason : std::uint8_t {
  kMalformed,           // not an IP packet or frame, truncated, or of a wrong length
  kUnknownDestination,  // no peer's allowed IPs hold the destination
  kNoEndpoint,          // the peer's address is not known (yet), or nobody is there to flood to
  kSourceNotAllowed,    // from a peer's endpoint, with an inner source outside everybody's allowed
                        // IPs
  kUnknownSender,       // from nobody's endpoint, and no peer may take it
  kEndpointMismatch,    // claims a peer whose configured endpoint is another one
  kPublicPlaintext,     // would travel unencrypted over a public address
  kLoop,                // would go round
  kTooBig,              // larger than the path to the peer allows
  kSendRefused,         // the kernel would not send the datagram
  kQueueFull,           // socket or interface could not take more
  kInsideRefused,       // the interface would not take the packet
  kInterfaceDown,       // the interface is down
  // With an encrypting transport:
  kNoSession,          // no handshake succeeded in time, or too much waited for it
  kNotForUs,           // a handshake that was not made for our public key
  kUnknownKey,         // a handshake of a public key that is no peer's
  kNotAuthentic,       // does not decrypt
  kReplayed,           // came before, or too late to tell
  kUnknownSession,     // of a session that is not or no longer there
  kExpiredSession,     // of a session that is too old, or has carried too much
  kCookieRequired,     // under load: its sender has to prove its address first
  kTooManyHandshakes,  // more than one address or peer may begin
};
inline constexpr std::size_t kDropReasonCount = 22;

// What was dropped is a datagram that an encrypting transport did not open.
constexpr bool is_unopened(DropReason reason) noexcept {
  return reason > DropReason::kNoSession;
}

// Stable word such as "no-peer", for D-Bus and JSON.
std::string_view code(DropReason reason) noexcept;
// What it means: one sentence.
std::string_view text(DropReason reason) noexcept;

// Datagrams and the bytes of their payload, as wg(8) counts them: rx came from peers, tx went to
// them. Instant{}: never.
struct Traffic {
  std::uint64_t rx_packets = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t tx_bytes = 0;
  Instant last_rx{};
  Instant last_tx{};
};

// One writer at a time, any reader.
class TrafficCounter {
 public:
  // carries: a packet, and not a message of the protocol itself.
  void count_rx(std::size_t bytes, bool carries, Instant now) noexcept;
  void count_tx(std::size_t bytes, bool carries, Instant now) noexcept;
  Traffic read() const noexcept;

 private:
  std::atomic<std::uint64_t> rx_packets_{0}, rx_bytes_{0}, tx_packets_{0}, tx_bytes_{0};
  std::atomic<Duration::rep> last_rx_{0}, last_tx_{0};
};

struct Drop {
  DropReason reason{};
  std::uint64_t packets = 0;
  std::string last;  // "192.168.53.7 -> 10.0.0.1 from 10.0.2.9:4000"
  Instant last_time{};
};

class DropCounters {
 public:
  // packet: as it lies inside, an IP packet or a frame. remote: who sent the datagram (kIn) or
  // would have got it (kOut); nullptr: nobody yet.
  void count(DropReason reason, std::span<const std::uint8_t> packet, packet::Direction direction,
             const Endpoint* remote, Instant now) noexcept;
  // A datagram of so many bytes, of which nobody can tell (any more) what is in it.
  void count_sealed(DropReason reason, std::size_t size, packet::Direction direction,
                    const Endpoint* remote, Instant now) noexcept;
  std::uint64_t packets(DropReason reason) const noexcept;
  // The reasons that occurred, in the order of the enum. frames: packets are Ethernet frames.
  std::vector<Drop> read(bool frames) const;

 private:
  // Kept as bytes, made text only when somebody reads.
  struct Offender {
    std::array<std::uint8_t, 64> head{};
    std::size_t kept = 0;    // bytes of head
    std::size_t length = 0;  // of the whole packet
    std::optional<Endpoint> remote;
    packet::Direction direction{};
    Instant time{};
  };
  void count(DropReason reason, std::span<const std::uint8_t> head, std::size_t length,
             packet::Direction direction, const Endpoint* remote, Instant now) noexcept;
  static std::string to_text(const Offender& offender, DropReason reason, bool frames);

  std::array<std::atomic<std::uint64_t>, kDropReasonCount> packets_{};
  mutable std::mutex mutex_;  // workers only try it: a reader never delays packets
  std::array<Offender, kDropReasonCount> last_;
};

}  // namespace vpntun::dataplane

#include "dataplane/counters.h"

#include <fmt/format.h>

#include <algorithm>

#include "packet/describe.h"

namespace vpntun::dataplane {
namespace {

struct Words {
  std::string_view code;
  std::string_view text;
};

// In the order of DropReason.
constexpr std::array<Words, kDropReasonCount> kWords{{
    {"malformed",
     "The bytes are no IP packet or Ethernet frame, are truncated, or have a wrong length."},
    {"no-peer", "No peer's allowed-ips hold the destination."},
    {"no-endpoint",
     "The peer's address is not known yet: it has not been heard of, or its name is not resolved."},
    {"source-not-allowed", "A peer sent a packet whose inner source is not in its allowed-ips."},
    {"unknown-sender", "A datagram came from an address that belongs to no peer."},
    {"endpoint-mismatch", "A datagram claims a peer whose configured endpoint is another address."},
    {"public-plaintext",
     "The packet would travel unencrypted over a public address, which the profile does not "
     "allow."},
    {"loop",
     "The packet would go round: the tunnel's own datagrams are routed into it, or a frame came "
     "back."},
    {"too-big", "The packet is larger than the path to the peer allows."},
    {"send-refused", "The kernel refused to send the datagram: no route, or a firewall."},
    {"queue-full", "The socket or the interface could not take more at that moment."},
    {"inside-refused", "The interface did not take the packet."},
    {"interface-down", "The interface is down."},
    {"no-session",
     "The packet waited for a handshake with its peer that did not come about, or too many did."},
    {"not-for-us", "A handshake message that was not made for this interface's public key."},
    {"unknown-key", "A handshake from a public key that belongs to no peer."},
    {"not-authentic",
     "A message does not decrypt: damaged, forged, or made with another key or preshared key."},
    {"replayed", "A message that came before, or so late that nobody can tell."},
    {"unknown-session", "A message of a session that is not or no longer there."},
    {"expired-session", "A message of a session that is too old or has carried too much."},
    {"cookie-required",
     "Under a flood of handshakes: the sender was asked to prove its address first."},
    {"too-many-handshakes", "More handshakes than one address or peer may begin."},
}};

// One writer at a time: a plain load and store, no locked instruction.
template <typename T>
void bump(std::atomic<T>& counter, T by) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

Instant instant_of(const std::atomic<Duration::rep>& value) noexcept {
  return Instant(Duration(value.load(std::memory_order_relaxed)));
}

}  // namespace

std::string_view code(DropReason reason) noexcept {
  return kWords[static_cast<std::size_t>(reason)].code;
}

std::string_view text(DropReason reason) noexcept {
  return kWords[static_cast<std::size_t>(reason)].text;
}

void TrafficCounter::count_rx(std::size_t bytes, bool carries, Instant now) noexcept {
  bump(rx_packets_, std::uint64_t{carries});
  bump(rx_bytes_, std::uint64_t{bytes});
  last_rx_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
}

void TrafficCounter::count_tx(std::size_t bytes, bool carries, Instant now) noexcept {
  bump(tx_packets_, std::uint64_t{carries});
  bump(tx_bytes_, std::uint64_t{bytes});
  last_tx_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
}

Traffic TrafficCounter::read() const noexcept {
  Traffic traffic;
  traffic.rx_packets = rx_packets_.load(std::memory_order_relaxed);
  traffic.rx_bytes = rx_bytes_.load(std::memory_order_relaxed);
  traffic.tx_packets = tx_packets_.load(std::memory_order_relaxed);
  traffic.tx_bytes = tx_bytes_.load(std::memory_order_relaxed);
  traffic.last_rx = instant_of(last_rx_);
  traffic.last_tx = instant_of(last_tx_);
  return traffic;
}

void DropCounters::count(DropReason reason, std::span<const std::uint8_t> packet,
                         packet::Direction direction, const Endpoint* remote,
                         Instant now) noexcept {
  count(reason, packet, packet.size(), direction, remote, now);
}

void DropCounters::count_sealed(DropReason reason, std::size_t size, packet::Direction direction,
                                const Endpoint* remote, Instant now) noexcept {
  count(reason, {}, size, direction, remote, now);
}

void DropCounters::count(DropReason reason, std::span<const std::uint8_t> packet,
                         std::size_t length, packet::Direction direction, const Endpoint* remote,
                         Instant now) noexcept {
  const std::size_t index = static_cast<std::size_t>(reason);
  bump(packets_[index], std::uint64_t{1});
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return;
  Offender& last = last_[index];
  last.kept = std::min(packet.size(), last.head.size());
  std::copy_n(packet.begin(), last.kept, last.head.begin());
  last.length = length;
  last.direction = direction;
  if (remote != nullptr)
    last.remote = *remote;
  else
    last.remote.reset();
  last.time = now;
}

std::uint64_t DropCounters::packets(DropReason reason) const noexcept {
  return packets_[static_cast<std::size_t>(reason)].load(std::memory_order_relaxed);
}

std::string DropCounters::to_text(const Offender& offender, DropReason reason, bool frames) {
  const std::span head(offender.head.data(), offender.kept);
  const auto layer = frames ? packet::Layer::kEthernet : packet::Layer::kIp;
  std::string result = offender.kept == 0 || reason == DropReason::kMalformed
                           ? fmt::format("{} bytes", offender.length)
                           : packet::describe_flow(head, layer);
  if (offender.remote)
    result += (offender.direction == packet::Direction::kIn ? " from " : " to ") +
              offender.remote->to_string();
  return result;
}

std::vector<Drop> DropCounters::read(bool frames) const {
  std::array<Offender, kDropReasonCount> last;
  {
    const std::lock_guard lock(mutex_);
    last = last_;
  }
  std::vector<Drop> drops;
  for (std::size_t i = 0; i < kDropReasonCount; ++i) {
    Drop drop;
    drop.reason = static_cast<DropReason>(i);
    drop.packets = packets(drop.reason);
    if (drop.packets == 0) continue;
    drop.last = to_text(last[i], drop.reason, frames);
    drop.last_time = last[i].time;
    drops.push_back(std::move(drop));
  }
  return drops;
}

}  // namespace vpntun::dataplane

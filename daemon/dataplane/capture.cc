#include "dataplane/capture.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "crypto/crypto.h"
#include "dataplane/key_log_text.h"
#include "packet/build.h"
#include "packet/ethernet.h"

namespace vpntun::dataplane {
namespace {

constexpr std::uint32_t kInner = 0;
constexpr std::uint32_t kOuter = 1;
constexpr std::size_t kStatisticsRoom = 256;  // kept free for the two statistics blocks
// Kept free of packets with secrets, so that a slow reader loses packets rather than the keys to
// the others: about 200 handshakes.
constexpr std::size_t kSecretsRoom = std::size_t{64} * 1024;

std::chrono::nanoseconds wall_clock() noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// A comment of bounded length, without allocation.
class Comment {
 public:
  template <typename... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    if (length_ > 0) append(", ");
    const auto result = fmt::format_to_n(text_.data() + length_, text_.size() - length_, format,
                                         std::forward<Args>(args)...);
    length_ = std::min(text_.size(), length_ + result.size);
  }
  std::string_view text() const noexcept { return {text_.data(), length_}; }

 private:
  void append(std::string_view text) noexcept {
    const std::size_t room = std::min(text.size(), text_.size() - length_);
    std::copy_n(text.begin(), room, text_.data() + length_);
    length_ += room;
  }
  std::array<char, 256> text_{};
  std::size_t length_ = 0;
};

}  // namespace

CaptureTap::CaptureTap(std::uint64_t id, UniqueFd pipe, const CaptureOptions& options, bool frames)
    : id_(id), pipe_(std::move(pipe)), options_(options) {
  const int flags = ::fcntl(pipe_.get(), F_GETFL);
  ::fcntl(pipe_.get(), F_SETFL, flags | O_NONBLOCK);
  pending_.reserve(kMaxPending);
  packet::append_section_header(pending_, "vpntun");
  packet::append_interface(pending_, {frames ? packet::LinkType::kEthernet : packet::LinkType::kRaw,
                                      "inner", "packets inside the tunnel", options.snaplen});
  packet::append_interface(pending_, {packet::LinkType::kRaw, "outer",
                                      "UDP datagrams that carry them", options.snaplen});
}

CaptureTap::~CaptureTap() {
  forget();
}

void CaptureTap::record(packet::PcapngPacket packet) noexcept {
  if (packet.interface == kInner ? !options_.inner : !options_.outer) return;
  packet.original_length = packet.bytes.size() + packet.more.size();
  if (options_.snaplen != 0) {
    packet.bytes = packet.bytes.first(std::min<std::size_t>(packet.bytes.size(), options_.snaplen));
    packet.more = packet.more.first(
        std::min<std::size_t>(packet.more.size(), options_.snaplen - packet.bytes.size()));
  }
  last_time_ = packet.time;
  ++seen_[packet.interface];
  const std::size_t room = kStatisticsRoom + (options_.secrets ? kSecretsRoom : 0);
  if (make_room(packet::packet_block_size(packet) + room))
    packet::append_packet(pending_, packet);
  else
    ++lost_[packet.interface];
}

void CaptureTap::record_secrets(std::span<const std::uint8_t> key_log) noexcept {
  if (make_room(packet::secrets_block_size(key_log) + kStatisticsRoom))
    packet::append_secrets(pending_, packet::SecretsType::kWireguardKeyLog, key_log);
  else
    ++lost_[kOuter];  // what it would be needed for cannot be read
}

// Moves what is left to the front only when the buffer is full, so that it never grows.
bool CaptureTap::make_room(std::size_t bytes) noexcept {
  if (pending_.size() + bytes <= kMaxPending) return true;
  if (pending_.size() - taken_ + bytes > kMaxPending) return false;
  const std::span<std::uint8_t> rest = std::span(pending_).subspan(taken_);
  std::copy(rest.begin(), rest.end(), pending_.begin());
  const std::size_t kept = rest.size();
  if (options_.secrets) crypto::wipe(std::span(pending_).subspan(kept));
  pending_.resize(kept);
  taken_ = 0;
  return true;
}

bool CaptureTap::flush() noexcept {
  report_losses();
  while (!reader_gone && has_pending()) {
    const ssize_t written =
        ::write(pipe_.get(), pending_.data() + taken_, pending_.size() - taken_);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) return true;
    if (written < 0) reader_gone = true;
    taken_ += static_cast<std::size_t>(std::max<ssize_t>(written, 0));
  }
  forget();
  return !reader_gone;
}

void CaptureTap::forget() noexcept {
  if (options_.secrets) crypto::wipe(pending_);
  pending_.clear();
  taken_ = 0;
}

// Once the reader is at it again: half of the buffer is free.
void CaptureTap::report_losses() noexcept {
  if (lost() == reported_ || pending_.size() - taken_ > kMaxPending / 2) return;
  if (!make_room(kStatisticsRoom)) return;
  for (const std::uint32_t interface : {kInner, kOuter})
    packet::append_statistics(pending_, interface, last_time_, seen_[interface], lost_[interface]);
  reported_ = lost();
}

void Captures::add(std::uint64_t id, UniqueFd pipe, const CaptureOptions& options) {
  taps_.emplace_back(id, std::move(pipe), options, source_.frames);
  kept_.resize(packet::kMaxPacket + packet::kTaggedHeader);
}

bool Captures::wants_secrets() const noexcept {
  return std::ranges::any_of(taps_, &CaptureTap::wants_secrets);
}

void Captures::secrets(const wg::HandshakeSecrets& secrets) noexcept {
  const KeyLogText text(secrets);
  for (CaptureTap& tap : taps_)
    if (tap.wants_secrets()) tap.record_secrets(text.bytes());
}

std::span<std::uint8_t> Captures::kept(std::span<std::uint8_t> bytes) noexcept {
  if (!active()) return bytes;
  std::copy(bytes.begin(), bytes.end(), kept_.begin());
  return std::span(kept_).first(bytes.size());
}

void Captures::inner(std::span<const std::uint8_t> bytes, packet::Direction direction,
                     const CaptureNote& note) noexcept {
  if (!active()) return;
  packet::PcapngPacket packet;
  packet.interface = kInner;
  packet.bytes = bytes;
  packet.direction = direction;
  record(packet, note);
}

void Captures::outer(const packet::Packet& datagram, packet::Direction direction,
                     const CaptureNote& note) noexcept {
  if (!active()) return;
  Endpoint here{datagram.local, source_.listen_port, 0};
  if (here.address.is_unspecified() && source_.local.family() == datagram.remote.address.family())
    here.address = source_.local;
  const bool out = direction == packet::Direction::kOut;
  const packet::OuterHeaders headers =
      packet::wrap_udp(out ? here : datagram.remote, out ? datagram.remote : here, datagram.bytes);
  packet::PcapngPacket packet;
  packet.interface = kOuter;
  packet.bytes = headers.bytes();
  packet.more = datagram.bytes;
  packet.direction = direction;
  record(packet, note);
}

void Captures::record(packet::PcapngPacket packet, const CaptureNote& note) noexcept {
  Comment comment;
  if (note.pair != 0) comment.add("pair {}", note.pair);
  if (!note.peer.empty()) comment.add("peer {}", note.peer.substr(0, 64));
  if (note.pair != 0) comment.add("{}", packet.direction == packet::Direction::kOut ? "out" : "in");
  if (!note.remark.empty()) comment.add("{}", note.remark);
  if (note.dropped) comment.add("dropped: {}", code(*note.dropped));
  packet.comment = comment.text();
  packet.time = wall_clock();
  for (CaptureTap& tap : taps_) tap.record(packet);
}

}  // namespace vpntun::dataplane

// Captures: a pipe each, written as pcapng with two interfaces, 0 = inner (what is inside the
// tunnel) and 1 = outer (the datagrams that carry it, with synthesised IP and UDP headers).
// Comments tie the two together: "pair 612, peer bob-phone, out". A slow reader loses whole records
// and never delays a packet. Of a WireGuard tunnel a capture may have the secrets too, from which
// others decrypt the datagrams. Thread: a worker that holds the tables.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/unique_fd.h"
#include "dataplane/counters.h"
#include "packet/batch.h"
#include "packet/pcapng.h"
#include "wg/device.h"

namespace vpntun::dataplane {

inline constexpr std::size_t kMaxCaptures = 8;

struct CaptureOptions {
  std::uint32_t snaplen = 0;  // bytes kept of each packet; 0: all
  bool inner = true;
  bool outer = true;
  bool secrets = false;  // the keys of each handshake, in front of its messages
};

// What all captures of a worker have in common.
struct CaptureSource {
  bool frames = false;            // inside lie Ethernet frames
  std::uint16_t listen_port = 0;  // our port
  IpAddress local;                // our outer address, for datagrams that leave it to the kernel
};

// One reader: its pipe and what it has not taken yet.
class CaptureTap {
 public:
  static constexpr std::size_t kMaxPending = 1u << 20;  // bytes

  // pipe: the write end; becomes non-blocking.
  CaptureTap(std::uint64_t id, UniqueFd pipe, const CaptureOptions& options, bool frames);

  CaptureTap(CaptureTap&&) noexcept = default;
  CaptureTap& operator=(CaptureTap&&) noexcept = default;
  ~CaptureTap();  // wipes what it has of secrets

  std::uint64_t id() const noexcept { return id_; }
  bool wants_secrets() const noexcept { return options_.secrets; }
  int fd() const noexcept { return pipe_.get(); }
  // Records not written because the reader was slow.
  std::uint64_t lost() const noexcept { return lost_[0] + lost_[1]; }
  bool has_pending() const noexcept { return pending_.size() > taken_; }

  void record(packet::PcapngPacket packet) noexcept;
  void record_secrets(std::span<const std::uint8_t> key_log) noexcept;
  // Writes what the pipe takes. False: the reader is gone.
  bool flush() noexcept;

  bool watched = false;      // the loop waits for the pipe to become writable
  bool reader_gone = false;  // the loop was told

 private:
  bool make_room(std::size_t bytes) noexcept;
  void report_losses() noexcept;
  void forget() noexcept;

  std::uint64_t id_;
  UniqueFd pipe_;
  CaptureOptions options_;
  std::vector<std::uint8_t> pending_;  // bounded; allocated once
  std::size_t taken_ = 0;              // bytes of pending_ the pipe has taken
  std::array<std::uint64_t, 2> seen_{};
  std::array<std::uint64_t, 2> lost_{};
  std::uint64_t reported_ = 0;  // losses told in a statistics block
  std::chrono::nanoseconds last_time_{};
};

// What is said about a packet.
struct CaptureNote {
  std::uint64_t pair = 0;      // 0: belongs to no pair
  std::string_view peer = {};  // empty: nobody's
  std::optional<DropReason> dropped = {};
  std::string_view remark = {};  // "injected"; empty: none
};

class Captures {
 public:
  explicit Captures(const CaptureSource& source) noexcept : source_(source) {}

  bool active() const noexcept { return !taps_.empty(); }
  // Somebody captures with secrets.
  bool wants_secrets() const noexcept;
  std::vector<CaptureTap>& taps() noexcept { return taps_; }
  void add(std::uint64_t id, UniqueFd pipe, const CaptureOptions& options);

  // A number for the next tunnelled packet; 0 while nobody captures.
  std::uint64_t next_pair() noexcept { return active() ? ++pair_ : 0; }

  // What the bytes are now, while somebody captures; else the bytes themselves. For those that are
  // rewritten before they are recorded. Good until the next call.
  std::span<std::uint8_t> kept(std::span<std::uint8_t> bytes) noexcept;

  // For those who capture with secrets.
  void secrets(const wg::HandshakeSecrets& secrets) noexcept;

  // Both do nothing while nobody captures.
  void inner(std::span<const std::uint8_t> bytes, packet::Direction direction,
             const CaptureNote& note) noexcept;
  void outer(const packet::Packet& datagram, packet::Direction direction,
             const CaptureNote& note) noexcept;

 private:
  void record(packet::PcapngPacket packet, const CaptureNote& note) noexcept;

  CaptureSource source_;
  std::vector<CaptureTap> taps_;
  std::uint64_t pair_ = 0;
  std::vector<std::uint8_t> kept_;  // of kMaxPacket bytes while somebody captures
};

}  // namespace vpntun::dataplane

#include "os/tun_writer.h"

#include <algorithm>
#include <cerrno>

namespace vpntun::os {
namespace {

// Packets among which flows are looked for at once.
constexpr std::size_t kAtOnce = 256;

iovec piece(std::span<const std::uint8_t> bytes) noexcept {
  // writev only reads.
  return {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
}

void settle(packet::Packet& packet, int error_number) noexcept {
  using packet::SendVerdict;
  packet.error_number = error_number;
  packet.verdict = error_number == 0        ? SendVerdict::kSent
                   : error_number == EAGAIN ? SendVerdict::kWouldBlock
                                            : SendVerdict::kRefused;
}

}  // namespace

TunWriter::TunWriter(packet::Layer layer, bool with_header,
                     const packet::Coalescer::Mergeable& mergeable)
    : with_header_(with_header), mergeable_(mergeable), coalescer_(kAtOnce, layer) {}

void TunWriter::write(int fd, packet::Batch& batch) noexcept {
  for (std::span<packet::Packet> rest = batch.packets(); !rest.empty();) {
    const std::size_t count = std::min(rest.size(), kAtOnce);
    write_some(fd, rest.first(count));
    rest = rest.subspan(count);
  }
}

void TunWriter::write_some(int fd, std::span<packet::Packet> packets) noexcept {
  if (!with_header_) {
    for (packet::Packet& packet : packets) write_alone(fd, packet);
    return;
  }
  for (const Write& write : coalescer_.coalesce(packets, mergeable_)) {
    if (write.count > 1 && write_superpacket(fd, packets, write)) continue;
    // Alone, or the kernel will not have it: every packet gets an answer of its own.
    std::uint16_t index = write.first;
    for (std::size_t i = 0; i < write.count; ++i, index = coalescer_.after(index))
      write_alone(fd, packets[index]);
  }
}

// False: it was refused.
bool TunWriter::write_superpacket(int fd, std::span<packet::Packet> packets,
                                  const Write& write) noexcept {
  packet::encode_vnet_header(write.offload, header_);
  pieces_[0] = piece(header_);
  pieces_[1] = piece(write.header);
  std::uint16_t index = write.first;
  for (std::size_t i = 0; i < write.count; ++i, index = coalescer_.after(index))
    pieces_[kInFront + i] = piece(packets[index].bytes.subspan(write.header.size()));
  const int error_number = write_pieces(fd, kInFront + write.count);
  if (error_number != 0 && error_number != EAGAIN) return false;
  index = write.first;
  for (std::size_t i = 0; i < write.count; ++i, index = coalescer_.after(index))
    settle(packets[index], error_number);
  return true;
}

void TunWriter::write_alone(int fd, packet::Packet& packet) noexcept {
  header_ = {};
  pieces_[0] = piece(std::span(header_).first(with_header_ ? header_.size() : 0));
  pieces_[1] = piece(packet.bytes);
  settle(packet, write_pieces(fd, 2));
}

int TunWriter::write_pieces(int fd, std::size_t count) noexcept {
  for (;;) {
    const ssize_t written = ::writev(fd, pieces_.data(), static_cast<int>(count));
    if (written > 0) return 0;
    if (written == 0) return EINVAL;  // an empty packet, which never came to the device
    if (errno != EINTR) return errno;
  }
}

}  // namespace vpntun::os

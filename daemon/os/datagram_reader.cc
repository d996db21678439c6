#include "os/datagram_reader.h"

#include <algorithm>
#include <cerrno>
#include <span>

namespace vpntun::os {
namespace {

constexpr int kPendingErrors = 4;  // asynchronous errors taken off per call

}  // namespace

DatagramReader::DatagramReader()
    : memory_(std::make_unique_for_overwrite<std::uint8_t[]>(kMessages * packet::kMaxPacket)) {
  for (std::size_t i = 0; i < kMessages; ++i) {
    vectors_[i] = {memory_.get() + i * packet::kMaxPacket, packet::kMaxPacket};
    msghdr& header = headers_[i].msg_hdr;
    header.msg_name = &addresses_[i];
    header.msg_iov = &vectors_[i];
    header.msg_iovlen = 1;
    header.msg_control = controls_[i].bytes.data();
  }
}

packet::Reading DatagramReader::read(int fd, packet::Batch& batch) noexcept {
  if (next_ == received_ && !receive(fd)) return packet::Reading::kDrained;
  while (next_ < received_)
    if (!append_next(batch)) return packet::Reading::kMore;
  return received_ == kMessages ? packet::Reading::kMore : packet::Reading::kDrained;
}

// False: there is nothing.
bool DatagramReader::receive(int fd) noexcept {
  received_ = next_ = 0;
  for (mmsghdr& message : headers_) {
    message.msg_hdr.msg_namelen = sizeof(sockaddr_storage);
    message.msg_hdr.msg_controllen = sizeof(Control);
  }
  for (int attempt = 0; attempt <= kPendingErrors; ++attempt) {
    const int count = ::recvmmsg(fd, headers_.data(), kMessages, MSG_DONTWAIT, nullptr);
    if (count > 0) {
      received_ = static_cast<std::size_t>(count);
      current_ = {};
      return true;
    }
    if (count == 0 || errno == EAGAIN) break;
  }
  return false;
}

// The datagrams of the next message. False: the batch is full before its end.
bool DatagramReader::append_next(packet::Batch& batch) noexcept {
  mmsghdr& message = headers_[next_];
  if (current_.taken == 0) {
    current_.remote = endpoint_of(addresses_[next_]);
    current_.arrival = arrival_of(message.msg_hdr);
    current_.length = message.msg_len;
  }
  std::size_t size = current_.arrival.segment_size;
  if (size == 0) size = current_.length;
  const std::span<std::uint8_t> bytes(memory_.get() + next_ * packet::kMaxPacket, current_.length);
  do {
    if (batch.full()) return false;
    const std::size_t length = std::min(size, current_.length - current_.taken);
    packet::Packet& packet = batch.append_view(bytes.subspan(current_.taken, length));
    packet.remote = current_.remote;
    packet.local = current_.arrival.local;
    packet.traffic_class = current_.arrival.traffic_class;
    current_.taken += length;
  } while (current_.taken < current_.length);
  current_ = {};
  ++next_;
  return true;
}

}  // namespace vpntun::os

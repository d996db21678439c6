#include "os/datagram_writer.h"

#include <algorithm>

namespace vpntun::os {
namespace {

// How many packets from `first` on, up to `end`, the kernel can cut out of one message again: all
// but the last of the size of the first, the last not larger.
std::size_t run_length(packet::Batch& batch, std::size_t first, std::size_t end) noexcept {
  const packet::Packet& head = batch[first];
  const std::size_t size = head.bytes.size();
  if (size == 0 || head.may_be_cut) return 1;
  end =
      std::min(end, first + std::min(DatagramWriter::kMaxRun, DatagramWriter::kMaxRunBytes / size));
  std::size_t next = first + 1;
  for (bool whole = true; whole && next < end; ++next) {
    const packet::Packet& packet = batch[next];
    if (packet.bytes.empty() || packet.bytes.size() > size || packet.may_be_cut ||
        packet.traffic_class != head.traffic_class || packet.remote != head.remote ||
        packet.local != head.local)
      break;
    whole = packet.bytes.size() == size;
  }
  return next - first;
}

}  // namespace

void DatagramWriter::lose_segments(int error_number) noexcept {
  segments_.store({.kind = packet::OffloadKind::kUdpSegment,
                   .is = packet::OffloadState::Is::kRefused,
                   .error_number = error_number},
                  std::memory_order_relaxed);
}

std::size_t DatagramWriter::prepare(packet::Batch& batch, std::size_t first, Family socket_family,
                                    bool gather) noexcept {
  const std::size_t end = std::min(batch.size(), first + packet::kBatchSize);
  gather = gather && segments().on();
  std::size_t count = 0;
  for (std::size_t next = first; next < end; ++count) {
    const packet::Packet& packet = batch[next];
    const std::size_t run = gather ? run_length(batch, next, end) : 1;
    messages_[count] = {};
    msghdr& header = messages_[count].msg_hdr;
    header.msg_namelen = encode_endpoint(packet.remote, socket_family, addresses_[count]);
    if (header.msg_namelen == 0) return count;
    header.msg_name = &addresses_[count];
    header.msg_iov = &vectors_[next - first];
    header.msg_iovlen = run;
    for (std::size_t i = 0; i < run; ++i)
      header.msg_iov[i] = {batch[next + i].bytes.data(), batch[next + i].bytes.size()};
    header.msg_control = controls_[count].bytes.data();
    put_source(header, packet);
    put_traffic_class(header, packet);
    if (run > 1) put_segment_size(header, packet.bytes.size());
    if (header.msg_controllen == 0) header.msg_control = nullptr;
    next += run;
  }
  return count;
}

}  // namespace vpntun::os

// What recvmmsg and sendmmsg read and write for one batch: addresses, packet information, vectors.
// Used by udp.cc alone; apart from it because these are functions on bytes. Thread: the socket's.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <optional>

#include "packet/batch.h"

namespace vpntun::os {

IpAddress address_of(const in_addr& address) noexcept;
// A v4-mapped one becomes plain IPv4.
IpAddress address_of(const in6_addr& address) noexcept;

// A received sockaddr_in or sockaddr_in6; a v4-mapped address becomes plain IPv4.
Endpoint endpoint_of(const sockaddr_storage& address) noexcept;

// `endpoint` as destination for a socket of the family (IPv4 mapped for an IPv6 socket). Returns
// the length, 0 if such a socket cannot reach it.
socklen_t encode_endpoint(const Endpoint& endpoint, Family socket_family,
                          sockaddr_storage& out) noexcept;

// Arrays for up to kBatchSize datagrams, reused from call to call.
class MessageVectors {
 public:
  // Points the vectors at the free room of the batch; returns for how many datagrams.
  std::size_t prepare_receive(packet::Batch& batch) noexcept;
  // Appends the `count` datagrams received since prepare_receive.
  void append_received(packet::Batch& batch, std::size_t count) noexcept;
  // Points the vectors at packets [first, size); returns how many, 0 if `first` cannot be sent by
  // such a socket.
  std::size_t prepare_send(packet::Batch& batch, std::size_t first, Family socket_family) noexcept;

  mmsghdr* messages() noexcept { return messages_.data(); }

 private:
  // Room for packet information and traffic class of both levels: a mapped datagram has both.
  static constexpr std::size_t kControlSize = CMSG_SPACE(sizeof(in_pktinfo)) +
                                              CMSG_SPACE(sizeof(in6_pktinfo)) +
                                              2 * CMSG_SPACE(sizeof(int));
  struct Control {
    alignas(cmsghdr) std::array<char, kControlSize> bytes;
  };

  std::array<mmsghdr, packet::kBatchSize> messages_{};
  std::array<iovec, packet::kBatchSize> vectors_{};
  std::array<sockaddr_storage, packet::kBatchSize> addresses_{};
  std::array<Control, packet::kBatchSize> controls_{};
};

}  // namespace vpntun::os

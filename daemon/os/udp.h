// The outside UDP socket: both families on one port, datagrams in batches, our own address known
// and kept per datagram. Outer datagrams are never fragmented: the don't-fragment bit is set and an
// oversize one is refused. Bound in the network namespace of the calling thread. Thread: bind
// control, receive and send the worker's.
#pragma once

#include <cstdint>
#include <memory>

#include "base/unique_fd.h"
#include "packet/ports.h"

namespace vpntun::os {

struct UdpOptions {
  std::uint32_t mark = 0;  // SO_MARK; 0 = none
  std::uint32_t buffer_bytes =
      4u << 20;  // asked for in each direction; less where the kernel allows less
};

class UdpSocket final : public packet::OutsidePort {
 public:
  // port: 0 lets the kernel choose. IPv4 only where the kernel has no IPv6.
  // Errors: kAddressInUse ("UDP port 9090 is in use"), kAccessDenied.
  static UdpSocket bind(std::uint16_t port, const UdpOptions& options = {});

  UdpSocket(UdpSocket&&) noexcept;
  UdpSocket& operator=(UdpSocket&&) noexcept;
  ~UdpSocket() override;

  std::uint16_t local_port() const noexcept { return port_; }
  Family family() const noexcept { return family_; }
  // Bytes of the largest outer IP packet the kernel lets through to `remote` unfragmented; 0 =
  // unknown, no route.
  std::uint32_t path_mtu(const Endpoint& remote) noexcept;

  int fd() const noexcept override { return fd_.get(); }
  void receive(packet::Batch& batch) noexcept override;
  void send(packet::Batch& batch) noexcept override;

 private:
  struct Vectors;  // the arrays of recvmmsg and sendmmsg, allocated once

  UdpSocket(UniqueFd fd, UniqueFd probe, Family family, std::uint16_t port);
  // Sends packets [first, last); returns how many are done with. A failure is the verdict of the
  // first not done.
  std::size_t send_some(packet::Batch& batch, std::size_t first, std::size_t last) noexcept;
  bool retry_without_source(packet::Packet& packet) noexcept;

  UniqueFd fd_;
  UniqueFd probe_;  // connected to ask for a path MTU; never sends
  Family family_;
  std::uint16_t port_;
  std::unique_ptr<Vectors> vectors_;
};

}  // namespace vpntun::os

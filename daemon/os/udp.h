// The outside UDP socket: both families on one port, datagrams in batches, our own address known
// and kept per datagram. Outer datagrams are not fragmented unless asked for: the don't-fragment
// bit is set and an oversize one is refused, unless the packet says that it may be cut. The kernel
// segments and gathers runs of datagrams where it can. Bound in the network namespace of the
// calling thread. Thread: bind control, receive and send the worker's.
//
// Several sockets may share a port (SO_REUSEPORT), each of them a worker's: what comes from one
// address and port to one of ours always comes to the same one, by a hash (reuseport_select_sock()
// in net/core/sock_reuseport.c), and so does what ICMP says about the datagrams sent there.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/unique_fd.h"
#include "os/udp_errors.h"
#include "packet/ports.h"

namespace vpntun::os {

class DatagramReader;
class DatagramWriter;

struct UdpOptions {
  std::uint32_t mark = 0;     // SO_MARK; 0 = none
  bool may_fragment = false;  // no don't-fragment bit: what is too big for a path travels in pieces
  std::uint32_t buffer_bytes =
      4u << 20;          // asked for in each direction; less where the kernel allows less
  bool segments = true;  // the kernel may cut runs of datagrams (UDP_SEGMENT)
  bool gathers = true;   // the kernel may gather runs of datagrams (UDP_GRO)
};

class UdpSocket final : public packet::OutsidePort {
 public:
  // port: 0 lets the kernel choose. IPv4 only where the kernel has no IPv6.
  // Errors: kAddressInUse ("UDP port 9090 is in use"), kAccessDenied.
  static UdpSocket bind(std::uint16_t port, const UdpOptions& options = {});
  // The same with so many sockets that share the port, at least one. A port that somebody has is
  // refused as for one socket, and nobody gets it who does not ask for sharing and is of this user.
  static std::vector<UdpSocket> bind_group(std::uint16_t port, std::size_t count,
                                           const UdpOptions& options = {});

  // Goes on with a socket that an earlier process bound and the service manager kept, its queue and
  // all. It must be what bind() would make: port (0: any), families, namespace of the calling
  // thread. Options are set anew. Errors: kFailed with what does not fit; the descriptor stays the
  // caller's then.
  static UdpSocket adopt(UniqueFd& fd, std::uint16_t port, const UdpOptions& options = {});
  // The same with all sockets that share a port.
  static std::vector<UdpSocket> adopt_group(std::span<UniqueFd> fds, std::uint16_t port,
                                            const UdpOptions& options = {});

  UdpSocket(UdpSocket&&) noexcept;
  UdpSocket& operator=(UdpSocket&&) noexcept;
  ~UdpSocket() override;

  std::uint16_t local_port() const noexcept { return port_; }
  Family family() const noexcept { return family_; }
  // Bytes of the largest outer IP packet the kernel lets through to `remote` unfragmented; 0 =
  // unknown, no route.
  std::uint32_t path_mtu(const Endpoint& remote) noexcept;

  int fd() const noexcept override { return fd_.get(); }
  [[nodiscard]] packet::Reading receive(packet::Batch& batch) noexcept override;
  // A source address that this host no longer has is dropped: the packet goes out from another, and
  // its `local` becomes unspecified.
  void send(packet::Batch& batch) noexcept override;
  std::span<const packet::Unreachable> take_unreachable(bool waiting) noexcept override;
  // udp-segment is lost at the first EIO: a device on the way computes no checksums, or IPsec does
  // its work there (udp_send_skb() in net/ipv4/udp.c).
  packet::OffloadStates offloads() const override;

 private:
  UdpSocket(UniqueFd fd, UniqueFd probe, Family family, std::uint16_t port,
            const UdpOptions& options);
  static UdpSocket bind_one(std::uint16_t port, bool shared, const UdpOptions& options);
  // The verdict of the first packet prepared, which the kernel refused, after a second try: in
  // pieces where it may be cut, or without its source if that may be gone.
  void settle_refused(packet::Packet& packet, int error_number) noexcept;
  // Sends the first of the messages prepared, in as many fragments as it takes.
  bool send_cut() noexcept;

  UniqueFd fd_;
  UniqueFd probe_;  // connected to ask for a path MTU; never sends
  Family family_;
  std::uint16_t port_;
  packet::OffloadState gathers_;  // UDP_GRO
  std::unique_ptr<DatagramReader> reader_;
  std::unique_ptr<DatagramWriter> writer_;
  UdpErrors errors_;
};

}  // namespace vpntun::os

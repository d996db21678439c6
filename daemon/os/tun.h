// A queue of a TUN (IP packets) or TAP (Ethernet frames) interface: the inside port. The interface
// lives as long as any of its queues. Opened by session/ and the lab in the network namespace of
// the calling thread; the file descriptor keeps working from any other. Thread: open and close
// control, receive and send the worker's.
//
// Of several queues each is a worker's. What the host sends in a flow comes out of the queue into
// which the other direction was written last (tun_flow_update() in drivers/net/tun.c): the worker
// that hears a peer also gets what goes back to it. A flow that nobody answered yet, or not for 3 s
// (TUN_FLOW_EXPIRE), or beyond the 4096th (MAX_TAP_FLOWS), has the queue that a hash of its
// addresses and ports says. So it changes its queue only where its answers begin or end, and is in
// order between.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "packet/ports.h"

namespace vpntun::os {

class TunReader;
class TunWriter;

enum class TunKind { kTun, kTap };

// What the kernel may do for many packets at once; forbidden, or beyond it, they go one by one.
struct TunOptions {
  bool tcp_superpackets = true;  // TSO, both ways
  bool udp_superpackets = true;  // USO, both ways; Linux 6.2
};

class Tun final : public packet::InsidePort {
 public:
  // name_pattern: an interface name, or one with the kernel's %d ("tun%d" takes the first free
  // number). The interface is new, down and without addresses. Errors: kInterfaceExists (any
  // interface of that name, tun or not), kAccessDenied, kNotSupported (no /dev/net/tun),
  // kInvalidArguments (no interface name).
  static Tun open(const std::string& name_pattern, TunKind kind, const TunOptions& options = {});
  // The same with so many queues, 1 to 256.
  static std::vector<Tun> open_queues(const std::string& name_pattern, TunKind kind,
                                      std::size_t count, const TunOptions& options = {});

  // Goes on with the interface of a descriptor that an earlier process opened and the service
  // manager kept. It must be what open() would make, as far as the interface's name, kind and
  // namespace (that of the calling thread) go; its addresses, state and index are as they were.
  // One that was opened without superpackets cannot have them any more.
  // Errors: kFailed with what does not fit; the descriptor stays the caller's then.
  static Tun adopt(UniqueFd& fd, const std::string& name_pattern, TunKind kind,
                   const TunOptions& options = {});
  // The same with all queues of an interface.
  static std::vector<Tun> adopt_queues(std::span<UniqueFd> fds, const std::string& name_pattern,
                                       TunKind kind, const TunOptions& options = {});

  Tun(Tun&&) noexcept;
  Tun& operator=(Tun&&) noexcept;
  ~Tun() override;

  // As the kernel resolved it. A later rename is not seen.
  const std::string& name() const noexcept { return name_; }
  // Interface index, in the namespace it was opened in.
  unsigned index() const noexcept { return index_; }

  int fd() const noexcept override { return fd_.get(); }
  [[nodiscard]] packet::Reading receive(packet::Batch& batch) noexcept override;
  void send(packet::Batch& batch) noexcept override;
  packet::OffloadStates offloads() const override { return offloads_; }

 private:
  // What its queues have in common.
  struct Interface {
    std::string name;
    unsigned index = 0;
    TunKind kind = TunKind::kTun;
    bool with_header = true;  // in front of each packet: IFF_VNET_HDR
    packet::OffloadStates offloads;
  };
  Tun(UniqueFd fd, const Interface& interface);
  static std::vector<Tun> queues_of(const Interface& interface, std::span<UniqueFd> fds);

  UniqueFd fd_;
  std::string name_;
  unsigned index_;
  packet::OffloadStates offloads_;
  std::unique_ptr<TunReader> reader_;
  std::unique_ptr<TunWriter> writer_;
};

// Deletes the interface of a TUN descriptor, whoever else has a copy of it or another of its
// queues. A refusal is logged; one that is gone is fine.
void delete_interface(int tun_fd) noexcept;

}  // namespace vpntun::os

// A TUN (IP packets) or TAP (Ethernet frames) interface: the inside port. The interface lives as
// long as the object. Opened by session/ and the lab in the network namespace of the calling
// thread; the file descriptor keeps working from any other. Thread: open and close control, receive
// and send the worker's.
#pragma once

#include <memory>
#include <string>

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

  // Goes on with the interface of a descriptor that an earlier process opened and the service
  // manager kept. It must be what open() would make, as far as the interface's name, kind and
  // namespace (that of the calling thread) go; its addresses, state and index are as they were.
  // One that was opened without superpackets cannot have them any more.
  // Errors: kFailed with what does not fit; the descriptor stays the caller's then.
  static Tun adopt(UniqueFd& fd, const std::string& name_pattern, TunKind kind,
                   const TunOptions& options = {});

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
  Tun(UniqueFd fd, std::string name, unsigned index, TunKind kind, packet::OffloadStates offloads,
      bool with_header);

  UniqueFd fd_;
  std::string name_;
  unsigned index_;
  packet::OffloadStates offloads_;
  std::unique_ptr<TunReader> reader_;
  std::unique_ptr<TunWriter> writer_;
};

// Deletes the interface of a TUN descriptor, whoever else has a copy of it. A refusal is logged;
// one that is gone is fine.
void delete_interface(int tun_fd) noexcept;

}  // namespace vpntun::os

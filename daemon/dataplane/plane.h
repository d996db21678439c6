// What the workers of a session share. Each of them takes turns (see Worker); in a turn it holds
// the tables' mutex while it looks a batch up and counts it, and not while the kernel or a cipher
// has it. What is not the common way stays under the mutex: handshakes and the other messages of
// the protocol, what waited for a session, copies of frames for other peers, fragments, and all
// that is opened while somebody captures. Between turns, changes of the control thread are obeyed.
// Thread: the workers'.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/mailbox.h"
#include "dataplane/mail.h"
#include "dataplane/outbound.h"
#include "dataplane/plain.h"
#include "dataplane/refusals.h"
#include "dataplane/tables.h"
#include "dataplane/turns.h"
#include "dataplane/wireguard.h"
#include "dataplane/worker_options.h"

namespace vpntun::dataplane {

class Plane {
 public:
  // epoll's word for who is ready: for a capture's pipe, its id is added.
  static constexpr std::uint64_t kCaptureReady = 3;

  explicit Plane(const WorkerOptions& options);

  Transport& transport() noexcept;
  // epoll_fd: of the first worker, which waits for the pipes of captures.
  void watch_captures_with(int epoll_fd) noexcept { epoll_fd_ = epoll_fd; }
  // Before the first turn: it follows when the peers change.
  void add(Outbound& outbound) { outbounds_.push_back(&outbound); }

  // These require that the tables are held; obey() also that no worker is in a turn.
  void obey(Change& change) noexcept;
  void lose_inside() noexcept;  // told once
  void note_reader_gone(std::uint64_t capture) noexcept;
  // Tells what is new of peers, and writes what was captured; ends captures nobody reads any more.
  void end_turn() noexcept;
  // Until the protocol has something to do by itself; Instant::max(): never.
  Instant next_deadline() const noexcept;

  Turns turns;
  Tables tables;
  std::unique_ptr<Wireguard> wireguard;  // none: the plain transport
  Refusals refusals;
  Mailbox<Notice> notices;

 private:
  void obey(SetPeers& command) noexcept;
  void obey(const SetPrivateKey& command) noexcept;
  void obey(const SetMtu& command) noexcept;
  void obey(const Revive& command) noexcept;
  void obey(const AllowPublic& command) noexcept;
  void obey(const SetEndpoint& command) noexcept;
  void obey(const ChangeWay& command) noexcept;
  void obey(AddCapture& command) noexcept;
  void flush_captures() noexcept;
  void watch(int operation, const CaptureTap& tap) const noexcept;

  Plain plain_;
  std::vector<Outbound*> outbounds_;
  int epoll_fd_ = -1;
  bool inside_gone_ = false;
};

}  // namespace vpntun::dataplane

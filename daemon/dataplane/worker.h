// The body of one worker: waits for its ports and its mailbox, and carries batches. The first
// worker also waits for the captures' pipes, and obeys the changes. The control thread posts
// commands; everything else belongs to the thread in run().
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <memory>

#include "base/mailbox.h"
#include "base/unique_fd.h"
#include "dataplane/inbound.h"
#include "dataplane/mail.h"
#include "dataplane/outbound.h"
#include "dataplane/plane.h"
#include "packet/ports.h"

namespace vpntun::dataplane {

class Worker {
 public:
  // number: of the worker, from 0. Throws Error when the system refuses a descriptor.
  Worker(std::size_t number, Plane& plane, std::unique_ptr<packet::InsidePort> inside,
         std::unique_ptr<packet::OutsidePort> outside);

  // Until Stop arrives.
  void run() noexcept;
  // Does what was posted so far. Before run(), or in it.
  void obey_commands() noexcept;

  Mailbox<Command>& commands() noexcept { return commands_; }
  // Of both ports; any thread.
  packet::OffloadStates offloads() const;

 private:
  void notice(const epoll_event& event) noexcept;
  void take_turn() noexcept;
  int milliseconds_to_wait() const noexcept;
  void carry_outbound() noexcept;
  void run_protocol() noexcept;
  void obey(Command& command) noexcept;
  void watch(int operation, int fd, std::uint32_t events, std::uint64_t source) noexcept;
  void lose_inside() noexcept;

  const std::size_t number_;
  Plane& plane_;
  std::unique_ptr<packet::InsidePort> inside_;
  std::unique_ptr<packet::OutsidePort> outside_;
  Mailbox<Command> commands_;
  UniqueFd epoll_;
  Outbound outbound_;
  Inbound inbound_;
  packet::Batch protocol_{32};         // datagrams of the protocol itself, in one turn
  Instant deadline_ = Instant::max();  // of the protocol, when this worker looked last
  bool has_mail_ = false;
  bool more_outside_ = false;  // to be read without waiting
  bool more_inside_ = false;
  bool refused_ = false;  // the outside has an error to tell
  bool blocked_ = false;  // the outside is full, the inside is not read
  bool inside_gone_ = false;
  bool stopping_ = false;
};

}  // namespace vpntun::dataplane

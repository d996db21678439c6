#include "dataplane/worker.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <shared_mutex>

#include "base/error.h"

namespace vpntun::dataplane {
namespace {

// Packets of one direction before the other has its turn.
constexpr std::size_t kBudget = 2 * packet::kBatchSize;

// Longer waits are cut in pieces.
constexpr std::chrono::milliseconds kLongestWait = std::chrono::hours(1);

// epoll's word for who is ready; from kCaptureReady on: captures.
enum Source : std::uint64_t { kInsideReady, kOutsideReady, kMailReady };
static_assert(kMailReady < Plane::kCaptureReady);

}  // namespace

Worker::Worker(std::size_t number, Plane& plane, std::unique_ptr<packet::InsidePort> inside,
               std::unique_ptr<packet::OutsidePort> outside)
    : number_(number),
      plane_(plane),
      inside_(std::move(inside)),
      outside_(std::move(outside)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      outbound_(plane_.tables, plane_.transport(), *inside_, *outside_),
      inbound_(plane_.tables, plane_.transport(), *inside_, *outside_, outbound_) {
  if (!epoll_) throw_errno(errno, "create an epoll descriptor");
  watch(EPOLL_CTL_ADD, inside_->fd(), EPOLLIN, kInsideReady);
  watch(EPOLL_CTL_ADD, outside_->fd(), EPOLLIN, kOutsideReady);
  watch(EPOLL_CTL_ADD, commands_.fd(), EPOLLIN, kMailReady);
  plane_.add(outbound_);
  if (number_ == 0) plane_.watch_captures_with(epoll_.get());
}

packet::OffloadStates Worker::offloads() const {
  packet::OffloadStates offloads = inside_->offloads();
  for (const packet::OffloadState& state : outside_->offloads()) offloads.push_back(state);
  return offloads;
}

void Worker::watch(int operation, int fd, std::uint32_t events, std::uint64_t source) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.u64 = source;
  ::epoll_ctl(epoll_.get(), operation, fd, &event);
}

void Worker::run() noexcept {
  std::array<epoll_event, 8> ready{};
  stopping_ = false;
  take_turn();  // what the protocol and the captures have from before
  while (!stopping_) {
    const int wait = more_outside_ || more_inside_ ? 0 : milliseconds_to_wait();
    const int count =
        ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), wait);
    for (int i = 0; i < count; ++i) notice(ready[static_cast<std::size_t>(i)]);
    if (has_mail_) obey_commands();
    take_turn();
  }
}

void Worker::notice(const epoll_event& event) noexcept {
  switch (event.data.u64) {
    case kMailReady:
      has_mail_ = true;
      break;
    case kOutsideReady:
      refused_ = (event.events & EPOLLERR) != 0;
      if ((event.events & ~std::uint32_t{EPOLLOUT}) != 0) more_outside_ = true;
      if (blocked_ && (event.events & EPOLLOUT) != 0) more_inside_ = true;
      break;
    case kInsideReady:
      if ((event.events & (EPOLLERR | EPOLLHUP)) != 0)
        lose_inside();
      else if (!blocked_)
        more_inside_ = true;
      break;
    default:  // a writable one is flushed at the end of the turn
      if ((event.events & EPOLLERR) != 0) {
        const Hold hold(plane_.tables.mutex);
        plane_.note_reader_gone(event.data.u64 - Plane::kCaptureReady);
      }
      break;
  }
}

void Worker::take_turn() noexcept {
  const std::shared_lock turn(plane_.turns);
  Tables& tables = plane_.tables;
  {
    const Hold hold(tables.mutex);
    tables.now = BootClock::now();
  }
  if (more_outside_) more_outside_ = inbound_.run(kBudget);
  run_protocol();  // what waited for a session goes before what is read now
  if (more_inside_) carry_outbound();
  const auto unreachable = outside_->take_unreachable(std::exchange(refused_, false));
  const Hold hold(tables.mutex);
  plane_.refusals.note(unreachable, tables);
  plane_.end_turn();
  deadline_ = plane_.next_deadline();
}

// Until the protocol has something to do by itself; -1: never. Whoever makes the deadline an
// earlier one keeps it: the others need not be woken.
int Worker::milliseconds_to_wait() const noexcept {
  if (deadline_ == Instant::max()) return -1;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - BootClock::now());
  return static_cast<int>(std::clamp<std::int64_t>(wait.count(), 0, kLongestWait.count()));
}

// What the protocol has to send by itself, and what waited for it. An initiation takes as long as
// dozens of packets, so of thousands of them each turn makes some.
void Worker::run_protocol() noexcept {
  Wireguard* const wireguard = plane_.wireguard.get();
  if (wireguard == nullptr) return;
  Tables& tables = plane_.tables;
  const Hold hold(tables.mutex);
  protocol_.clear();
  wireguard->poll(protocol_);
  if (!protocol_.empty()) outside_->send(protocol_);
  for (const packet::Packet& datagram : protocol_.packets()) {
    CaptureNote note;
    if (datagram.peer != kNoPeer) note.peer = tables.peers[datagram.peer].name;
    if (datagram.verdict != packet::SendVerdict::kSent) {
      note.dropped = reason_of_unsent(datagram.verdict);
      tables.drops.count_sealed(*note.dropped, datagram.bytes.size(), packet::Direction::kOut,
                                &datagram.remote, tables.now);
    } else if (datagram.peer != kNoPeer) {
      tables.count_tx(datagram, false);
    }
    tables.captures.outer(datagram, packet::Direction::kOut, note);
  }
  for (PeerIndex peer = wireguard->next_released(); peer != kNoPeer;
       peer = wireguard->next_released())
    outbound_.send_staged(peer, wireguard->take_staged(peer));
}

void Worker::carry_outbound() noexcept {
  const Outbound::Result result = outbound_.run(kBudget);
  more_inside_ = result == Outbound::Result::kMore;
  const bool blocked = result == Outbound::Result::kBlocked;
  if (blocked != blocked_) {
    blocked_ = blocked;
    if (!inside_gone_)
      watch(EPOLL_CTL_MOD, inside_->fd(), blocked ? 0u : std::uint32_t{EPOLLIN}, kInsideReady);
    watch(EPOLL_CTL_MOD, outside_->fd(),
          blocked ? std::uint32_t{EPOLLIN | EPOLLOUT} : std::uint32_t{EPOLLIN}, kOutsideReady);
  }
  if (result == Outbound::Result::kGone) lose_inside();
}

void Worker::lose_inside() noexcept {
  if (inside_gone_) return;
  inside_gone_ = true;
  watch(EPOLL_CTL_DEL, inside_->fd(), 0, kInsideReady);
  const Hold hold(plane_.tables.mutex);
  plane_.lose_inside();
}

void Worker::obey_commands() noexcept {
  has_mail_ = false;
  for (Command& command : commands_.take()) obey(command);
}

void Worker::obey(Command& command) noexcept {
  if (auto* change = std::get_if<Change>(&command)) {
    const std::lock_guard pause(plane_.turns);
    const Hold hold(plane_.tables.mutex);
    plane_.obey(*change);
  } else if (auto* injection = std::get_if<Inject>(&command)) {
    const Hold hold(plane_.tables.mutex);
    plane_.notices.post(Injected{injection->token, inbound_.inject(std::move(injection->bytes))});
  } else if (std::holds_alternative<Ask>(command)) {
    plane_.notices.post(Answered{number_});
  } else {
    stopping_ = true;
  }
}

}  // namespace vpntun::dataplane

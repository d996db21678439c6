#include "dataplane/loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <random>
#include <type_traits>

#include "base/error.h"

namespace vpntun::dataplane {
namespace {

// Packets of one direction before the other has its turn.
constexpr std::size_t kBudget = 2 * packet::kBatchSize;

// Longer waits are cut in pieces.
constexpr std::chrono::milliseconds kLongestWait = std::chrono::hours(1);

// epoll's word for who is ready; for a capture, its id is added.
enum Source : std::uint64_t { kInsideReady, kOutsideReady, kMailReady, kCaptureReady };

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

std::unique_ptr<Wireguard> wireguard_for(const WorkerOptions& options, Tables& tables) {
  if (!options.encrypted) return nullptr;
  const auto wall_clock = [] { return std::chrono::system_clock::now().time_since_epoch(); };
  return std::make_unique<Wireguard>(tables, wg::Surroundings{&crypto::random_bytes, wall_clock});
}

Transport& either(Wireguard* wireguard, Plain& plain) noexcept {
  if (wireguard != nullptr) return *wireguard;
  return plain;
}

}  // namespace

Loop::Loop(std::unique_ptr<packet::InsidePort> inside, std::unique_ptr<packet::OutsidePort> outside,
           const WorkerOptions& options)
    : inside_(std::move(inside)),
      outside_(std::move(outside)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      tables_(options.frames, options.allow_public_plaintext,
              CaptureSource{options.frames, options.listen_port, options.local}, random_seed()),
      wireguard_(wireguard_for(options, tables_)),
      plain_(tables_),
      outbound_(tables_, either(wireguard_.get(), plain_), *inside_, *outside_),
      inbound_(tables_, either(wireguard_.get(), plain_), *inside_, *outside_, outbound_) {
  if (!epoll_) throw_errno(errno, "create an epoll descriptor");
  watch(EPOLL_CTL_ADD, inside_->fd(), EPOLLIN, kInsideReady);
  watch(EPOLL_CTL_ADD, outside_->fd(), EPOLLIN, kOutsideReady);
  watch(EPOLL_CTL_ADD, commands_.fd(), EPOLLIN, kMailReady);
}

packet::OffloadStates Loop::offloads() const {
  packet::OffloadStates offloads = inside_->offloads();
  for (const packet::OffloadState& state : outside_->offloads()) offloads.push_back(state);
  return offloads;
}

void Loop::watch(int operation, int fd, std::uint32_t events, std::uint64_t source) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.u64 = source;
  ::epoll_ctl(epoll_.get(), operation, fd, &event);
}

void Loop::run() noexcept {
  std::array<epoll_event, 8> ready{};
  stopping_ = false;
  // Who the peers are, before the packets that wait already: those of a restart.
  tables_.now = BootClock::now();
  for (Command& command : commands_.take()) obey(command);
  run_protocol();
  flush_captures();
  while (!stopping_) {
    const int wait = more_outside_ || more_inside_ ? 0 : milliseconds_to_wait();
    const int count =
        ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), wait);
    tables_.now = BootClock::now();
    bool refused = false;
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = ready[static_cast<std::size_t>(i)];
      if (event.data.u64 == kOutsideReady) refused = (event.events & EPOLLERR) != 0;
      notice(event);
    }
    if (more_outside_) more_outside_ = inbound_.run(kBudget);
    run_protocol();  // what waited for a session goes before what is read now
    if (more_inside_) carry_outbound();
    refusals_.note(outside_->take_unreachable(refused), tables_);
    announce();
    flush_captures();
  }
}

void Loop::notice(const epoll_event& event) noexcept {
  switch (event.data.u64) {
    case kMailReady:
      for (Command& command : commands_.take()) obey(command);
      break;
    case kOutsideReady:
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
      for (CaptureTap& tap : tables_.captures.taps())
        if (event.data.u64 == kCaptureReady + tap.id() && (event.events & EPOLLERR) != 0)
          tap.reader_gone = true;
      break;
  }
}

// Until the protocol has something to do by itself; -1: never.
int Loop::milliseconds_to_wait() const noexcept {
  if (!wireguard_) return -1;
  const Instant deadline = wireguard_->next_deadline();
  if (deadline == Instant::max()) return -1;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(deadline - BootClock::now());
  return static_cast<int>(std::clamp<std::int64_t>(wait.count(), 0, kLongestWait.count()));
}

// What the protocol has to send by itself, and what waited for it.
void Loop::run_protocol() noexcept {
  if (!wireguard_) return;
  do {
    protocol_.clear();
    wireguard_->poll(protocol_);
    if (protocol_.empty()) break;
    outside_->send(protocol_);
    for (const packet::Packet& datagram : protocol_.packets()) {
      CaptureNote note;
      if (datagram.peer != kNoPeer) note.peer = tables_.peers[datagram.peer].name;
      if (datagram.verdict != packet::SendVerdict::kSent) {
        note.dropped = reason_of_unsent(datagram.verdict);
        tables_.drops.count_sealed(*note.dropped, datagram.bytes.size(), packet::Direction::kOut,
                                   &datagram.remote, tables_.now);
      } else if (datagram.peer != kNoPeer) {
        tables_.count_tx(datagram, false);
      }
      tables_.captures.outer(datagram, packet::Direction::kOut, note);
    }
  } while (protocol_.full());
  for (PeerIndex peer = wireguard_->next_released(); peer != kNoPeer;
       peer = wireguard_->next_released())
    outbound_.send_staged(peer, wireguard_->take_staged(peer));
}

void Loop::carry_outbound() noexcept {
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

void Loop::lose_inside() noexcept {
  if (inside_gone_) return;
  inside_gone_ = true;
  watch(EPOLL_CTL_DEL, inside_->fd(), 0, kInsideReady);
  notices_.post(InterfaceGone{});
}

void Loop::obey(Command& command) noexcept {
  if (auto* peers = std::get_if<SetPeers>(&command)) {
    set_peers(*peers);
  } else if (const auto* identity = std::get_if<SetPrivateKey>(&command)) {
    if (wireguard_) wireguard_->set_private_key(identity->key);
  } else if (const auto* mtu = std::get_if<SetMtu>(&command)) {
    tables_.mtu = mtu->mtu;
  } else if (std::holds_alternative<Revive>(command)) {
    revive_all();
  } else if (const auto* allow = std::get_if<AllowPublic>(&command)) {
    tables_.allow_public_plaintext = allow->allowed;
  } else if (auto* change = std::get_if<SetEndpoint>(&command)) {
    if (change->peer >= tables_.peers.size()) return;
    const bool had_endpoint = tables_.peers[change->peer].endpoint.has_value();
    tables_.peers.move(change->peer, change->endpoint, IpAddress{});
    if (wireguard_)
      wireguard_->moved(change->peer, had_endpoint);
    else
      tables_.macs.flush(change->peer);
  } else if (auto* capture = std::get_if<AddCapture>(&command)) {
    const int fd = capture->pipe.get();
    tables_.captures.add(capture->id, std::move(capture->pipe), capture->options);
    watch(EPOLL_CTL_ADD, fd, 0,
          kCaptureReady + capture->id);  // EPOLLERR, the reader's end, is always told
    if (wireguard_ && capture->options.secrets) wireguard_->log_keys(true);
  } else if (auto* injection = std::get_if<Inject>(&command)) {
    notices_.post(Injected{injection->token, inbound_.inject(std::move(injection->bytes))});
  } else if (std::holds_alternative<Ask>(command)) {
    notices_.post(Answered{});
  } else {
    stopping_ = true;
  }
}

void Loop::set_peers(SetPeers& command) noexcept {
  const std::vector<PeerIndex> places = command.peers.places_of(tables_.peers);
  outbound_.follow(places);
  tables_.replace_peers(std::move(command.peers), places);
  if (wireguard_) wireguard_->set_peers(command.keys);
}

void Loop::revive_all() noexcept {
  if (!wireguard_) return;
  for (std::size_t i = 0; i < tables_.peers.size(); ++i)
    wireguard_->revive(static_cast<PeerIndex>(i));
}

void Loop::announce() noexcept {
  for (const PeerIndex peer : tables_.news) notices_.post(PeerChanged{tables_.peers[peer].record});
  tables_.news.clear();
}

// Writes what was recorded in this turn, and ends captures nobody reads any more.
void Loop::flush_captures() noexcept {
  std::vector<CaptureTap>& taps = tables_.captures.taps();
  for (std::size_t i = 0; i < taps.size();) {
    CaptureTap& tap = taps[i];
    if (!tap.flush()) {
      notices_.post(CaptureClosed{tap.id(), tap.lost()});
      const bool had_secrets = tap.wants_secrets();
      taps.erase(taps.begin() + static_cast<std::ptrdiff_t>(i));  // closing leaves the epoll
      if (wireguard_ && had_secrets && !tables_.captures.wants_secrets())
        wireguard_->log_keys(false);
      continue;
    }
    if (tap.has_pending() != tap.watched) {
      tap.watched = tap.has_pending();
      watch(EPOLL_CTL_MOD, tap.fd(), tap.watched ? std::uint32_t{EPOLLOUT} : 0u,
            kCaptureReady + tap.id());
    }
    ++i;
  }
}

}  // namespace vpntun::dataplane

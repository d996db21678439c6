#include "dataplane/plane.h"

#include <sys/epoll.h>

#include <chrono>
#include <random>
#include <utility>

namespace vpntun::dataplane {
namespace {

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

std::unique_ptr<Wireguard> wireguard_for(const WorkerOptions& options, Tables& tables) {
  if (!options.encrypted) return nullptr;
  const auto wall_clock = [] { return std::chrono::system_clock::now().time_since_epoch(); };
  return std::make_unique<Wireguard>(tables, wg::Surroundings{&crypto::random_bytes, wall_clock});
}

}  // namespace

Plane::Plane(const WorkerOptions& options)
    : tables(options.frames, options.allow_public_plaintext,
             CaptureSource{options.frames, options.listen_port, options.local}, random_seed()),
      wireguard(wireguard_for(options, tables)),
      plain_(tables) {}

Transport& Plane::transport() noexcept {
  if (wireguard) return *wireguard;
  return plain_;
}

void Plane::obey(Change& change) noexcept {
  tables.now = BootClock::now();
  std::visit([this](auto& command) { obey(command); }, change);
}

void Plane::obey(SetPeers& command) noexcept {
  const std::vector<PeerIndex> places = command.peers.places_of(tables.peers);
  for (Outbound* const outbound : outbounds_) outbound->follow(places);
  tables.replace_peers(std::move(command.peers), places);
  if (wireguard) wireguard->set_peers(command.keys);
}

void Plane::obey(const SetPrivateKey& command) noexcept {
  if (wireguard) wireguard->set_private_key(command.key);
}

void Plane::obey(const SetMtu& command) noexcept {
  tables.mtu = command.mtu;
}

void Plane::obey(const Revive&) noexcept {
  if (!wireguard) return;
  for (std::size_t i = 0; i < tables.peers.size(); ++i)
    wireguard->revive(static_cast<PeerIndex>(i));
}

void Plane::obey(const AllowPublic& command) noexcept {
  tables.allow_public_plaintext = command.allowed;
}

void Plane::obey(const SetEndpoint& command) noexcept {
  if (command.peer >= tables.peers.size()) return;
  const bool had_endpoint = tables.peers[command.peer].endpoint.has_value();
  tables.peers.move(command.peer, command.endpoint, IpAddress{});
  if (wireguard)
    wireguard->moved(command.peer, had_endpoint);
  else
    tables.macs.flush(command.peer);
}

void Plane::obey(const ChangeWay& command) noexcept {
  if (command.peer >= tables.peers.size()) return;
  tables.peers[command.peer].local = IpAddress{};  // of the former way
  if (wireguard) wireguard->moved(command.peer, true);
}

void Plane::obey(AddCapture& command) noexcept {
  tables.captures.add(command.id, std::move(command.pipe), command.options);
  // EPOLLERR, the reader's end, is always told.
  watch(EPOLL_CTL_ADD, tables.captures.taps().back());
  if (wireguard && command.options.secrets) wireguard->log_keys(true);
}

void Plane::lose_inside() noexcept {
  if (!std::exchange(inside_gone_, true)) notices.post(InterfaceGone{});
}

void Plane::note_reader_gone(std::uint64_t capture) noexcept {
  for (CaptureTap& tap : tables.captures.taps())
    if (tap.id() == capture) tap.reader_gone = true;
}

void Plane::end_turn() noexcept {
  for (const PeerIndex peer : tables.news) notices.post(PeerChanged{tables.peers[peer].record});
  tables.news.clear();
  flush_captures();
}

Instant Plane::next_deadline() const noexcept {
  return wireguard ? wireguard->next_deadline() : Instant::max();
}

void Plane::flush_captures() noexcept {
  std::vector<CaptureTap>& taps = tables.captures.taps();
  for (std::size_t i = 0; i < taps.size();) {
    CaptureTap& tap = taps[i];
    if (!tap.flush()) {
      notices.post(CaptureClosed{tap.id(), tap.lost()});
      const bool had_secrets = tap.wants_secrets();
      taps.erase(taps.begin() + static_cast<std::ptrdiff_t>(i));  // closing leaves the epoll
      if (wireguard && had_secrets && !tables.captures.wants_secrets()) wireguard->log_keys(false);
      continue;
    }
    if (tap.has_pending() != tap.watched) {
      tap.watched = tap.has_pending();
      watch(EPOLL_CTL_MOD, tap);
    }
    ++i;
  }
}

void Plane::watch(int operation, const CaptureTap& tap) const noexcept {
  epoll_event event{};
  event.events = tap.watched ? std::uint32_t{EPOLLOUT} : 0u;
  event.data.u64 = kCaptureReady + tap.id();
  ::epoll_ctl(epoll_fd_, operation, tap.fd(), &event);
}

}  // namespace vpntun::dataplane

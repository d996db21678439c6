#include "session/handover.h"

#include <fcntl.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace vpntun::session {

namespace {

using service::FdStore;

// The names in the store.
const std::string kInterface = "tun";
const std::string kSocket = "udp";
const std::string kEndpoints = "endpoints";
const std::string kReady = "ready";

// Of queues or sockets: copies of their descriptors.
template <typename Port>
std::vector<UniqueFd> copies_of(const std::vector<Port>& ports) {
  std::vector<UniqueFd> copies;
  for (const Port& port : ports) {
    copies.emplace_back(::fcntl(port.fd(), F_DUPFD_CLOEXEC, 0));
    if (!copies.back()) throw_errno(errno, "duplicate a descriptor");
  }
  return copies;
}

std::vector<int> numbers_of(const std::vector<UniqueFd>& fds) {
  std::vector<int> numbers;
  for (const UniqueFd& fd : fds) numbers.push_back(fd.get());
  return numbers;
}

// What was left under `name`, if it is as many as wanted and fits; else it is dropped, for a reason
// that is logged. Where one is wanted the first is looked at: the service manager keeps copies of a
// character device that it cannot compare (kcmp(2) is forbidden in some containers).
template <typename Adopt>
auto adopt(const std::string& name, std::vector<UniqueFd>& left, std::size_t wanted,
           Adopt adopt_them) -> std::optional<decltype(adopt_them())> {
  if (left.empty()) return std::nullopt;
  if (wanted == 1) left.resize(1);
  try {
    if (left.size() != wanted)
      throw Error(ErrorKind::kFailed, "there are {}, not {}", left.size(), wanted);
    auto adopted = adopt_them();
    log::event(log::Event::kDescriptorAdopted, {}, "stored descriptor \"{}\": taken over", name);
    return adopted;
  } catch (const Error& error) {
    log::event(log::Event::kDescriptorDropped, {}, "stored descriptor \"{}\" is dropped: {}", name,
               error.what());
    return std::nullopt;
  }
}

// Of a port that was an earlier session's the store may let go a moment later: systemd closes what
// it kept in a thread of its own. Also after a stop, when nobody knows whose it was.
constexpr std::chrono::milliseconds kUntilDropped{3000};
constexpr std::chrono::milliseconds kUntilStopped{1000};

std::vector<os::UdpSocket> bind_when_free(std::uint16_t port, std::size_t count,
                                          const os::UdpOptions& options,
                                          std::chrono::milliseconds left) {
  constexpr std::chrono::milliseconds kPause{20};
  for (;; left -= kPause) {
    try {
      return os::UdpSocket::bind_group(port, count, options);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kAddressInUse || left <= kPause) throw;
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

Handover::Handover(FdStore store)
    : store_(std::move(store)), left_queues_(store_.take(kInterface)) {
  if (std::vector<UniqueFd> ready = store_.take(kReady); !ready.empty())
    ready_ = std::move(ready.front());
}

Handover::~Handover() {
  if (released_) return;
  for (const std::vector<UniqueFd>* queues : {&left_queues_, &queues_})
    for (const UniqueFd& queue : *queues) os::delete_interface(queue.get());
  left_queues_.clear();
  queues_.clear();
  sockets_.clear();
  memory_.reset();
  store_.remove({kInterface, kSocket, kEndpoints, kReady});
}

std::optional<os::Netns> Handover::netns_before() const {
  if (left_queues_.empty()) return std::nullopt;
  try {
    return os::Netns::of_tun(left_queues_.front().get());
  } catch (const Error&) {  // deleted; or no interface at all, as queues() will say
    return std::nullopt;
  }
}

std::vector<os::UdpSocket> Handover::sockets(const config::Profile& profile, std::uint32_t mark) {
  os::UdpOptions options;
  options.mark = mark;
  options.may_fragment = profile.encryption == config::Encryption::kWireguard;
  const std::uint16_t port = profile.interface.listen_port;
  const std::size_t count = profile.interface.workers;
  std::vector<UniqueFd> left = store_.take(kSocket);
  std::optional<std::vector<os::UdpSocket>> sockets =
      adopt(kSocket, left, count, [&] { return os::UdpSocket::adopt_group(left, port, options); });
  const bool adopted = sockets.has_value();
  if (!adopted) {
    const bool dropped = !std::exchange(left, {}).empty();
    if (dropped) store_.remove({kSocket});
    sockets = bind_when_free(port, count, options, dropped ? kUntilDropped : kUntilStopped);
  }
  sockets_ = copies_of(*sockets);
  if (!adopted) store_.put(kSocket, numbers_of(sockets_), FdStore::Evicted::kNever);
  return *std::move(sockets);
}

std::vector<os::Tun> Handover::queues(const config::Profile& profile) {
  const std::string& pattern = profile.interface.name;
  const os::TunKind kind =
      profile.kind == config::Kind::kTap ? os::TunKind::kTap : os::TunKind::kTun;
  const std::size_t count = profile.interface.workers;
  std::optional<std::vector<os::Tun>> queues = adopt(kInterface, left_queues_, count, [&] {
    return os::Tun::adopt_queues(left_queues_, pattern, kind);
  });
  took_over_ = queues.has_value();
  if (!took_over_) {
    if (std::exchange(ready_, {})) store_.remove({kReady});
    if (!left_queues_.empty()) delete_left_interface();
    queues = os::Tun::open_queues(pattern, kind, count);
  }
  left_queues_.clear();
  queues_ = copies_of(*queues);
  if (!took_over_) store_.put(kInterface, numbers_of(queues_), FdStore::Evicted::kOnError);
  return *std::move(queues);
}

// The store may let go of its copies a moment later; the name has to be free now.
void Handover::delete_left_interface() {
  for (const UniqueFd& queue : left_queues_) os::delete_interface(queue.get());
  left_queues_.clear();
  store_.remove({kInterface});
}

// By now everything that is known was taken; the rest is of another version.
std::vector<LearnedEndpoint> Handover::endpoints() {
  std::vector<UniqueFd> left = store_.take(kEndpoints);
  if (const std::vector<std::string> unknown = store_.left(); !unknown.empty())
    store_.remove(unknown);
  memory_ = adopt(kEndpoints, left, 1, [&] { return EndpointMemory::adopt(left.front()); });
  if (!memory_) {
    if (!std::exchange(left, {}).empty()) store_.remove({kEndpoints});
    memory_ = EndpointMemory::create();
    store_.put(kEndpoints, {memory_->fd()}, FdStore::Evicted::kOnError);
  }
  return memory_->adopted();
}

void Handover::remember(const std::vector<LearnedEndpoint>& learned) noexcept {
  if (memory_) memory_->write(learned);
}

void Handover::remember_ready() {
  if (ready_) return;
  ready_.reset(::eventfd(0, EFD_CLOEXEC));
  if (!ready_) throw_errno(errno, "make the mark of a session that is ready");
  store_.put(kReady, {ready_.get()}, FdStore::Evicted::kNever);
}

void Handover::release() {
  released_ = true;
  store_.put(kInterface, numbers_of(queues_), FdStore::Evicted::kOnError);
  store_.put(kSocket, numbers_of(sockets_), FdStore::Evicted::kNever);
  store_.put(kEndpoints, {memory_->fd()}, FdStore::Evicted::kOnError);
  if (ready_) store_.put(kReady, {ready_.get()}, FdStore::Evicted::kNever);
}

}  // namespace vpntun::session

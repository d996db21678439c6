#include "session/handover.h"

#include <fcntl.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <string>
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

UniqueFd copy_of(int fd) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy) throw_errno(errno, "duplicate a descriptor");
  return copy;
}

// What was left under `name`, if it fits; else it is dropped, for a reason that is logged.
template <typename Adopt>
auto adopt(const std::string& name, UniqueFd& left, Adopt adopt_it)
    -> std::optional<decltype(adopt_it())> {
  if (!left) return std::nullopt;
  try {
    auto adopted = adopt_it();
    log::event(log::Event::kDescriptorAdopted, {}, "stored descriptor \"{}\": taken over", name);
    return adopted;
  } catch (const Error& error) {
    log::event(log::Event::kDescriptorDropped, {}, "stored descriptor \"{}\" is dropped: {}", name,
               error.what());
    return std::nullopt;
  }
}

}  // namespace

Handover::Handover(FdStore store)
    : store_(std::move(store)),
      left_interface_(store_.take(kInterface)),
      ready_(store_.take(kReady)) {}

Handover::~Handover() {
  if (released_) return;
  for (UniqueFd* interface : {&left_interface_, &interface_})
    if (*interface) os::delete_interface(interface->get());
  left_interface_.reset();
  interface_.reset();
  socket_.reset();
  memory_.reset();
  store_.remove({kInterface, kSocket, kEndpoints, kReady});
}

std::optional<os::Netns> Handover::netns_before() const {
  if (!left_interface_) return std::nullopt;
  try {
    return os::Netns::of_tun(left_interface_.get());
  } catch (const Error&) {  // deleted; or no interface at all, as interface() will say
    return std::nullopt;
  }
}

os::UdpSocket Handover::socket(const config::Profile& profile, std::uint32_t mark) {
  os::UdpOptions options;
  options.mark = mark;
  options.may_fragment = profile.encryption == config::Encryption::kWireguard;
  const std::uint16_t port = profile.interface.listen_port;
  UniqueFd left = store_.take(kSocket);
  std::optional<os::UdpSocket> socket =
      adopt(kSocket, left, [&] { return os::UdpSocket::adopt(left, port, options); });
  if (!socket) {
    if (std::exchange(left, {})) store_.remove({kSocket});
    socket.emplace(os::UdpSocket::bind(port, options));
    store_.put(kSocket, socket->fd(), FdStore::Evicted::kNever);
  }
  socket_ = copy_of(socket->fd());
  return *std::move(socket);
}

os::Tun Handover::interface(const config::Profile& profile) {
  const std::string& pattern = profile.interface.name;
  const os::TunKind kind =
      profile.kind == config::Kind::kTap ? os::TunKind::kTap : os::TunKind::kTun;
  std::optional<os::Tun> tun = adopt(
      kInterface, left_interface_, [&] { return os::Tun::adopt(left_interface_, pattern, kind); });
  took_over_ = tun.has_value();
  if (!tun) {
    if (std::exchange(ready_, {})) store_.remove({kReady});
    if (left_interface_) {
      // The store may let go of its copy a moment later; the name has to be free now.
      os::delete_interface(left_interface_.get());
      left_interface_.reset();
      store_.remove({kInterface});
    }
    tun.emplace(os::Tun::open(pattern, kind));
    store_.put(kInterface, tun->fd(), FdStore::Evicted::kOnError);
  }
  interface_ = copy_of(tun->fd());
  return *std::move(tun);
}

// By now everything that is known was taken; the rest is of another version.
std::vector<LearnedEndpoint> Handover::endpoints() {
  UniqueFd left = store_.take(kEndpoints);
  if (const std::vector<std::string> unknown = store_.left(); !unknown.empty())
    store_.remove(unknown);
  memory_ = adopt(kEndpoints, left, [&] { return EndpointMemory::adopt(left); });
  if (!memory_) {
    if (std::exchange(left, {})) store_.remove({kEndpoints});
    memory_ = EndpointMemory::create();
    store_.put(kEndpoints, memory_->fd(), FdStore::Evicted::kOnError);
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
  store_.put(kReady, ready_.get(), FdStore::Evicted::kNever);
}

void Handover::release() {
  released_ = true;
  store_.put(kInterface, interface_.get(), FdStore::Evicted::kOnError);
  store_.put(kSocket, socket_.get(), FdStore::Evicted::kNever);
  store_.put(kEndpoints, memory_->fd(), FdStore::Evicted::kOnError);
  if (ready_) store_.put(kReady, ready_.get(), FdStore::Evicted::kNever);
}

}  // namespace vpntun::session

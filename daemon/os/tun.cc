#include "os/tun.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "os/link.h"
#include "os/netns.h"
#include "os/tun_reader.h"
#include "os/tun_writer.h"

namespace vpntun::os {
namespace {

using packet::OffloadKind;
using packet::OffloadState;
using packet::OffloadStates;

constexpr const char* kDevice = "/dev/net/tun";
constexpr unsigned kDeviceMajor = 10;   // MISC_MAJOR
constexpr unsigned kDeviceMinor = 200;  // TUN_MINOR in linux/miscdevice.h

// A name the kernel takes, with at most one %d. dev_valid_name() and dev_alloc_name() in
// net/core/dev.c.
bool is_name_pattern(const std::string& pattern) {
  if (pattern.empty() || pattern.size() >= IFNAMSIZ || pattern == "." || pattern == "..")
    return false;
  const std::size_t percent = pattern.find('%');
  if (percent != std::string::npos && (pattern.compare(percent, 2, "%d") != 0 ||
                                       pattern.find('%', percent + 1) != std::string::npos))
    return false;
  return std::none_of(pattern.begin(), pattern.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= ' ' || byte == 0x7f || c == '/' || c == ':';
  });
}

// Whether the kernel could have made `name` from the pattern: %d is a number without leading zeros.
bool fits(const std::string& name, const std::string& pattern) {
  const std::size_t percent = pattern.find("%d");
  if (percent == std::string::npos) return name == pattern;
  const std::string tail = pattern.substr(percent + 2);
  if (name.size() <= percent + tail.size() || !name.starts_with(pattern.substr(0, percent)) ||
      !name.ends_with(tail))
    return false;
  const std::string number = name.substr(percent, name.size() - percent - tail.size());
  return number.find_first_not_of("0123456789") == std::string::npos &&
         (number == "0" || number[0] != '0');
}

bool is_tun_device(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && S_ISCHR(info.st_mode) &&
         info.st_rdev == makedev(kDeviceMajor, kDeviceMinor);
}

UniqueFd open_device() {
  UniqueFd fd(::open(kDevice, O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (fd) return fd;
  if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
    throw Error(ErrorKind::kNotSupported,
                "there is no {}: load the module (modprobe tun), or give this container the device",
                kDevice);
  if (errno == EPERM || errno == EACCES)
    throw Error(ErrorKind::kAccessDenied,
                "open {}: {}: the device must be readable and writable, and the container allow it",
                kDevice, std::strerror(errno));
  throw_errno(errno, fmt::format("open {}", kDevice));
}

[[noreturn]] void throw_create_error(int error_number, const std::string& name, unsigned flags) {
  const char* kind_name = (flags & IFF_TUN) != 0 ? "TUN" : "TAP";
  switch (error_number) {
    case EBUSY:   // a tun interface of that name (IFF_TUN_EXCL)
    case EEXIST:  // any other
    case EINVAL:  // an interface that is no tun, found before the exclusive creation
      throw Error(ErrorKind::kInterfaceExists, "interface {} exists already", name);
    case EPERM:
      throw Error(ErrorKind::kAccessDenied,
                  "create {} interface {}: this needs CAP_NET_ADMIN in the network namespace",
                  kind_name, name);
    default:
      throw_errno(error_number, fmt::format("create {} interface {}", kind_name, name));
  }
}

// Makes the descriptor a queue of the interface, which is made if there is none. The name as the
// kernel resolved it.
std::string attach(int fd, const std::string& name, unsigned flags) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  // IFF_TUN_EXCL (0x8000) makes the 16 bits negative in the kernel's signed field.
  request.ifr_flags = static_cast<short>(flags);
  if (::ioctl(fd, TUNSETIFF, &request) < 0) throw_create_error(errno, name, flags);
  return request.ifr_name;
}

struct Attached {
  std::string name;
  unsigned flags = 0;
};

Attached attached_to(int fd) {
  if (!is_tun_device(fd)) throw Error(ErrorKind::kFailed, "it is no TUN descriptor");
  ifreq request{};
  if (::ioctl(fd, TUNGETIFF, &request) < 0)
    throw Error(ErrorKind::kFailed, "its interface was deleted");
  return {std::string(request.ifr_name, ::strnlen(request.ifr_name, IFNAMSIZ)),
          static_cast<unsigned short>(request.ifr_flags)};
}

// Throws where a new interface would be another. IFF_NO_PI cannot be asked for: its bit has another
// meaning here (IFF_NOFILTER).
void refuse_misfit(const Attached& attached, const std::string& pattern, TunKind kind,
                   std::size_t queues) {
  const std::string& name = attached.name;
  if (((attached.flags & IFF_TUN) != 0) != (kind == TunKind::kTun))
    throw Error(ErrorKind::kFailed, "{} is of the other kind (TUN, TAP)", name);
  if (((attached.flags & IFF_MULTI_QUEUE) != 0) != (queues > 1))
    throw Error(ErrorKind::kFailed, "{} was made for {}", name,
                queues > 1 ? "one queue" : "several queues");
  if (!fits(name, pattern))
    throw Error(ErrorKind::kFailed, "its interface is {}, not {}", name, pattern);
}

// Of an interface in the namespace of the calling thread. Throws where it has other queues than
// `queues` ones that were given us: what is sent through them would come to nobody.
unsigned index_of(const std::string& name, std::size_t queues) {
  NetlinkSocket netlink;
  const Link link = get_link(netlink, name);
  if (queues > 1 && link.queues != queues)
    throw Error(ErrorKind::kFailed, "{} has {} attached queues, not {}", name, link.queues, queues);
  return link.index;
}

// linux/if_tun.h of Debian 12 does not have them.
constexpr unsigned kUdp4Segments = 0x20;  // TUN_F_USO4
constexpr unsigned kUdp6Segments = 0x40;  // TUN_F_USO6

// Says into which superpackets the kernel may leave packets for us. The descriptor has
// IFF_VNET_HDR. What one queue says holds for the interface. Those of both families go together: of
// UDP the kernel takes no other.
OffloadStates set_offloads(int fd, const TunOptions& options) {
  constexpr unsigned kTcp = TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  constexpr unsigned kUdp = kUdp4Segments | kUdp6Segments;
  OffloadStates offloads;
  unsigned taken = 0;
  const auto add = [&](OffloadKind v4, OffloadKind v6, bool wanted, unsigned flags) {
    const bool refused = wanted && ::ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | taken | flags) < 0;
    const int error_number = refused ? errno : 0;
    if (wanted && !refused) taken |= flags;
    for (const OffloadKind kind : {v4, v6})
      offloads.push_back(packet::first_state(kind, wanted, error_number));
  };
  add(OffloadKind::kTso4, OffloadKind::kTso6, options.tcp_superpackets, kTcp);
  add(OffloadKind::kUso4, OffloadKind::kUso6, options.udp_superpackets, kUdp);
  // A refused call changes nothing; an adopted descriptor may have had more.
  ::ioctl(fd, TUNSETOFFLOAD, taken == 0 ? 0 : TUN_F_CSUM | taken);
  return offloads;
}

OffloadStates no_offloads(OffloadState::Is why) {
  return {{.kind = OffloadKind::kTso4, .is = why},
          {.kind = OffloadKind::kTso6, .is = why},
          {.kind = OffloadKind::kUso4, .is = why},
          {.kind = OffloadKind::kUso6, .is = why}};
}

}  // namespace

Tun::Tun(UniqueFd fd, const Interface& interface)
    : fd_(std::move(fd)),
      name_(interface.name),
      index_(interface.index),
      offloads_(interface.offloads) {
  const packet::Layer layer =
      interface.kind == TunKind::kTun ? packet::Layer::kIp : packet::Layer::kEthernet;
  const packet::Coalescer::Mergeable mergeable{
      .tcp4 = offloads_[0].on(), .tcp6 = offloads_[1].on(), .udp = offloads_[2].on()};
  reader_ = std::make_unique<TunReader>(layer, interface.with_header);
  writer_ = std::make_unique<TunWriter>(layer, interface.with_header, mergeable);
}

Tun::Tun(Tun&&) noexcept = default;
Tun& Tun::operator=(Tun&&) noexcept = default;
Tun::~Tun() = default;

std::vector<Tun> Tun::queues_of(const Interface& interface, std::span<UniqueFd> fds) {
  std::vector<Tun> queues;
  for (UniqueFd& fd : fds) queues.push_back(Tun(std::move(fd), interface));
  return queues;
}

Tun Tun::open(const std::string& name_pattern, TunKind kind, const TunOptions& options) {
  return std::move(open_queues(name_pattern, kind, 1, options).front());
}

std::vector<Tun> Tun::open_queues(const std::string& name_pattern, TunKind kind, std::size_t count,
                                  const TunOptions& options) {
  if (!is_name_pattern(name_pattern))
    throw Error(ErrorKind::kInvalidArguments, "\"{}\" is no interface name", name_pattern);
  Interface made;
  made.kind = kind;
  made.with_header = options.tcp_superpackets || options.udp_superpackets;
  const unsigned flags = (kind == TunKind::kTun ? IFF_TUN : IFF_TAP) | IFF_NO_PI |
                         (made.with_header ? IFF_VNET_HDR : 0) | (count > 1 ? IFF_MULTI_QUEUE : 0);
  std::vector<UniqueFd> fds(count);
  for (UniqueFd& fd : fds) {
    fd = open_device();
    // The first makes the interface, the others are its further queues.
    made.name = made.name.empty() ? attach(fd.get(), name_pattern, flags | IFF_TUN_EXCL)
                                  : attach(fd.get(), made.name, flags);
  }
  made.index = index_of(made.name, count);
  made.offloads = made.with_header ? set_offloads(fds[0].get(), options)
                                   : no_offloads(OffloadState::Is::kForbidden);
  return queues_of(made, fds);
}

Tun Tun::adopt(UniqueFd& fd, const std::string& name_pattern, TunKind kind,
               const TunOptions& options) {
  return std::move(adopt_queues({&fd, 1}, name_pattern, kind, options).front());
}

std::vector<Tun> Tun::adopt_queues(std::span<UniqueFd> fds, const std::string& name_pattern,
                                   TunKind kind, const TunOptions& options) {
  Interface left;
  left.kind = kind;
  for (const UniqueFd& fd : fds) {
    const Attached attached = attached_to(fd.get());
    if (!left.name.empty() && attached.name != left.name)
      throw Error(ErrorKind::kFailed, "its interfaces are two, {} and {}", left.name,
                  attached.name);
    refuse_misfit(attached, name_pattern, kind, fds.size());
    if (!(Netns::of_tun(fd.get()) == Netns::current()))
      throw Error(ErrorKind::kFailed, "{} is in another network namespace", attached.name);
    if (::fcntl(fd.get(), F_SETFL, O_RDWR | O_NONBLOCK) < 0)
      throw_errno(errno, "set the mode of a TUN descriptor");
    left.name = attached.name;
    left.with_header = (attached.flags & IFF_VNET_HDR) != 0;
  }
  left.index = index_of(left.name, fds.size());
  left.offloads = left.with_header ? set_offloads(fds[0].get(), options)
                                   : no_offloads(OffloadState::Is::kOpenedWithout);
  return queues_of(left, fds);
}

packet::Reading Tun::receive(packet::Batch& batch) noexcept {
  return reader_->read(fd_.get(), batch);
}

void Tun::send(packet::Batch& batch) noexcept {
  writer_->write(fd_.get(), batch);
}

void delete_interface(int tun_fd) noexcept {
  ifreq request{};
  if (!is_tun_device(tun_fd) || ::ioctl(tun_fd, TUNGETIFF, &request) < 0) return;
  const auto delete_here = [&] {
    NetlinkSocket netlink;
    if (const auto link = find_link(netlink, std::string(request.ifr_name)))
      delete_link(netlink, link->index);
  };
  try {
    const Netns netns = Netns::of_tun(tun_fd);
    // Entering the namespace it is in would need CAP_SYS_ADMIN.
    if (netns == Netns::current()) return delete_here();
    const NetnsScope scope(netns);
    delete_here();
  } catch (const std::exception& error) {
    log::warning("delete the interface {}: {}", request.ifr_name, error.what());
  }
}

}  // namespace vpntun::os

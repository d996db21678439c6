#include "os/udp.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "os/datagram_reader.h"
#include "os/datagram_writer.h"
#include "os/netns.h"
#include "os/socket_option.h"
#include "os/udp_message.h"

namespace vpntun::os {
namespace {

using packet::OffloadKind;
using packet::OffloadState;
using packet::Packet;
using packet::SendVerdict;

constexpr std::string_view kAdopting = "adopt a UDP socket";
constexpr int kPendingErrors = 16;  // tries of a call that fails with what ICMP said of another

// -1: there is no such option, or no such socket.
int get_option(int fd, int level, int option) noexcept {
  int value = -1;
  socklen_t length = sizeof(value);
  return ::getsockopt(fd, level, option, &value, &length) < 0 ? -1 : value;
}

bool is_connected(int fd) noexcept {
  sockaddr_storage remote{};
  socklen_t length = sizeof(remote);
  return ::getpeername(fd, reinterpret_cast<sockaddr*>(&remote), &length) == 0;
}

// Beyond net.core.rmem_max where the process may, else as much as it may.
void set_buffers(int fd, std::uint32_t bytes) {
  const int size = static_cast<int>(std::min<std::uint32_t>(bytes, 1u << 30));
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
  if (::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

// IP_PMTUDISC_DO or IP_PMTUDISC_DONT, which have the same values for IPv6.
void set_mtu_discovery(int fd, Family family, int mode) noexcept {
  ::setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &mode, sizeof(mode));
  if (family == Family::kIpv6)
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &mode, sizeof(mode));
}
static_assert(IP_PMTUDISC_DO == IPV6_PMTUDISC_DO && IP_PMTUDISC_DONT == IPV6_PMTUDISC_DONT);

// What holds for every packet. The IPv4 options apply to IPv4 datagrams of an IPv6 socket too.
void set_options(int fd, Family family, const UdpOptions& options, std::string_view attempted) {
  set_option(fd, IPPROTO_IP, IP_PKTINFO, 1, attempted);
  set_option(fd, IPPROTO_IP, IP_RECVTOS, 1, attempted);
  const int discovery = options.may_fragment ? IP_PMTUDISC_DONT : IP_PMTUDISC_DO;
  set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, discovery, attempted);
  if (family == Family::kIpv6) {
    set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, attempted);
    set_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1, attempted);
    set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, discovery, attempted);
  }
  UdpErrors::enable(fd, family, attempted);
  if (static_cast<int>(options.mark) != get_option(fd, SOL_SOCKET, SO_MARK))
    set_option(fd, SOL_SOCKET, SO_MARK, static_cast<int>(options.mark), attempted);
}

// UDP_SEGMENT, which each message asks for: Linux 4.18.
OffloadState probe_segments(int fd, bool wanted) noexcept {
  const bool refused = wanted && get_option(fd, SOL_UDP, UDP_SEGMENT) < 0;
  return packet::first_state(OffloadKind::kUdpSegment, wanted, refused ? errno : 0);
}

// UDP_GRO: Linux 5.0. Set anew, as an adopted socket may have it.
OffloadState set_gathering(int fd, bool wanted) noexcept {
  const int gather = wanted ? 1 : 0;
  const bool refused = ::setsockopt(fd, SOL_UDP, UDP_GRO, &gather, sizeof(gather)) < 0;
  return packet::first_state(OffloadKind::kUdpGro, wanted, refused ? errno : 0);
}

// Unbound. Empty: the kernel does not have the family.
UniqueFd open_socket(Family family, const UdpOptions& options, std::string_view attempted) {
  const bool v6 = family == Family::kIpv6;
  UniqueFd fd(::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd && errno == EAFNOSUPPORT) return fd;
  if (!fd) throw_errno(errno, attempted);
  if (v6) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0, attempted);
  set_options(fd.get(), family, options, attempted);
  return fd;
}

// Of both families where the kernel has IPv6.
std::pair<UniqueFd, Family> open_widest(const UdpOptions& options, std::string_view attempted) {
  UniqueFd fd = open_socket(Family::kIpv6, options, attempted);
  if (fd) return {std::move(fd), Family::kIpv6};
  fd = open_socket(Family::kIpv4, options, attempted);
  if (!fd) throw_errno(EAFNOSUPPORT, attempted);
  return {std::move(fd), Family::kIpv4};
}

Endpoint bound_to(int fd, std::string_view attempted) {
  sockaddr_storage local{};
  socklen_t length = sizeof(local);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length) < 0)
    throw_errno(errno, attempted);
  return endpoint_of(local);
}

// SO_COOKIE: of the socket, however many descriptors it has.
std::uint64_t identity_of(int fd) {
  std::uint64_t cookie = 0;
  socklen_t length = sizeof(cookie);
  if (::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) < 0) throw_errno(errno, kAdopting);
  return cookie;
}

// The port of a socket that is what bind() would make. family: of those. wanted: 0 is any.
std::uint16_t port_of(int fd, std::uint16_t wanted, Family family) {
  if (get_option(fd, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_UDP)
    throw Error(ErrorKind::kFailed, "it is no UDP socket");
  const bool v6 = family == Family::kIpv6;
  if (get_option(fd, SOL_SOCKET, SO_DOMAIN) != (v6 ? AF_INET6 : AF_INET) ||
      (v6 && get_option(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 0))
    throw Error(ErrorKind::kFailed, "it is of other address families");
  const Endpoint bound = bound_to(fd, kAdopting);
  if (!bound.address.is_unspecified() || bound.port == 0 || (wanted != 0 && wanted != bound.port))
    throw Error(ErrorKind::kFailed, "it is bound to {}, not to port {}", bound.to_string(), wanted);
  if (is_connected(fd)) throw Error(ErrorKind::kFailed, "it is connected");
  if (!(Netns::of_socket(fd) == Netns::current()))
    throw Error(ErrorKind::kFailed, "it is in another network namespace");
  return bound.port;
}

void refuse(Packet& packet, int error_number) noexcept {
  packet.verdict = SendVerdict::kRefused;
  packet.error_number = error_number;
}

// What the kernel says to a source address that this host no longer has, or not on the way to the
// destination.
bool source_may_be_gone(int error_number) noexcept {
  return error_number == EINVAL || error_number == EADDRNOTAVAIL || error_number == ENETUNREACH ||
         error_number == ENODEV;
}

}  // namespace

UdpSocket::UdpSocket(UniqueFd fd, UniqueFd probe, Family family, std::uint16_t port,
                     const UdpOptions& options)
    : fd_(std::move(fd)),
      probe_(std::move(probe)),
      family_(family),
      port_(port),
      gathers_(set_gathering(fd_.get(), options.gathers)),
      reader_(std::make_unique<DatagramReader>()),
      writer_(std::make_unique<DatagramWriter>(probe_segments(fd_.get(), options.segments))) {}

UdpSocket::UdpSocket(UdpSocket&&) noexcept = default;
UdpSocket& UdpSocket::operator=(UdpSocket&&) noexcept = default;
UdpSocket::~UdpSocket() = default;

UdpSocket UdpSocket::bind_one(std::uint16_t port, bool shared, const UdpOptions& options) {
  const std::string attempted = fmt::format("open UDP port {}", port);
  auto [fd, family] = open_widest(options, attempted);
  if (shared) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1, attempted);
  set_buffers(fd.get(), options.buffer_bytes);

  sockaddr_storage any{};
  const socklen_t length = encode_endpoint({IpAddress::unspecified(family), port}, family, any);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), length) < 0) {
    if (errno == EADDRINUSE) throw Error(ErrorKind::kAddressInUse, "UDP port {} is in use", port);
    throw_errno(errno, attempted);
  }
  const std::uint16_t bound = bound_to(fd.get(), attempted).port;
  return UdpSocket(std::move(fd), open_socket(family, options, attempted), family, bound, options);
}

UdpSocket UdpSocket::bind(std::uint16_t port, const UdpOptions& options) {
  return bind_one(port, /*shared=*/false, options);
}

std::vector<UdpSocket> UdpSocket::bind_group(std::uint16_t port, std::size_t count,
                                             const UdpOptions& options) {
  std::vector<UdpSocket> group;
  // The first does not share: it is refused a port that another session shares among its sockets.
  group.push_back(bind(port, options));
  const std::uint16_t bound = group[0].local_port();
  // The group itself begins with the second (reuseport_add_sock() in net/core/sock_reuseport.c).
  if (count > 1)
    set_option(group[0].fd(), SOL_SOCKET, SO_REUSEPORT, 1, fmt::format("share UDP port {}", bound));
  while (group.size() < count) group.push_back(bind_one(bound, /*shared=*/true, options));
  return group;
}

UdpSocket UdpSocket::adopt(UniqueFd& fd, std::uint16_t port, const UdpOptions& options) {
  return std::move(adopt_group({&fd, 1}, port, options).front());
}

std::vector<UdpSocket> UdpSocket::adopt_group(std::span<UniqueFd> fds, std::uint16_t port,
                                              const UdpOptions& options) {
  std::set<std::uint64_t> sockets;
  std::vector<UniqueFd> probes;
  Family family{};
  for (const UniqueFd& fd : fds) {
    std::tie(probes.emplace_back(), family) = open_widest(options, kAdopting);
    port = port_of(fd.get(), port, family);
    const bool shared = get_option(fd.get(), SOL_SOCKET, SO_REUSEPORT) == 1;
    // Those that share it share it with each other: the kernel lets no others have one port.
    if (shared != (fds.size() > 1))
      throw Error(ErrorKind::kFailed, "it is {} of several at port {}", shared ? "one" : "none",
                  port);
    if (!sockets.insert(identity_of(fd.get())).second)
      throw Error(ErrorKind::kFailed, "one of its sockets is there twice");
    set_options(fd.get(), family, options, kAdopting);
    set_buffers(fd.get(), options.buffer_bytes);
    if (::fcntl(fd.get(), F_SETFL, O_RDWR | O_NONBLOCK) < 0) throw_errno(errno, kAdopting);
  }
  std::vector<UdpSocket> group;
  for (std::size_t i = 0; i < fds.size(); ++i)
    group.push_back(UdpSocket(std::move(fds[i]), std::move(probes[i]), family, port, options));
  return group;
}

std::uint32_t UdpSocket::path_mtu(const Endpoint& remote) noexcept {
  // Undoes the last connect, which has chosen a source address.
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  if (::connect(probe_.get(), &none, sizeof(none)) < 0) return 0;
  sockaddr_storage address{};
  const socklen_t length = encode_endpoint(remote, family_, address);
  if (length == 0 ||
      ::connect(probe_.get(), reinterpret_cast<const sockaddr*>(&address), length) < 0)
    return 0;
  const bool v4 = family_ == Family::kIpv4;
  int mtu = 0;
  socklen_t mtu_length = sizeof(mtu);
  if (::getsockopt(probe_.get(), v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU : IPV6_MTU, &mtu,
                   &mtu_length) < 0)
    return 0;
  return static_cast<std::uint32_t>(mtu);
}

packet::Reading UdpSocket::receive(packet::Batch& batch) noexcept {
  return reader_->read(fd_.get(), batch);
}

void UdpSocket::send(packet::Batch& batch) noexcept {
  std::size_t next = 0;
  std::size_t single = 0;  // packets before this one go in messages of their own
  int retries = 0;
  while (next < batch.size()) {
    const std::size_t count = writer_->prepare(batch, next, family_, next >= single);
    if (count == 0) {
      refuse(batch[next++], EAFNOSUPPORT);
      continue;
    }
    const int sent =
        ::sendmmsg(fd_.get(), writer_->messages(), static_cast<unsigned>(count), MSG_DONTWAIT);
    const int error_number = sent < 0 ? errno : 0;
    const std::size_t run = writer_->packets_in(0);
    if (sent > 0) {
      for (std::size_t i = 0; i < static_cast<std::size_t>(sent); ++i)
        for (std::size_t left = writer_->packets_in(i); left > 0; --left)
          batch[next++].verdict = SendVerdict::kSent;
      retries = 0;
    } else if (error_number == EAGAIN) {
      for (; next < batch.size(); ++next) batch[next].verdict = SendVerdict::kWouldBlock;
    } else if (error_number == ENOBUFS) {  // the device's queue is full, and has dropped it
      for (std::size_t left = run; left > 0; --left)
        batch[next++].verdict = SendVerdict::kQueueFull;
    } else if (error_number != EINTR &&
               // Perhaps not about this packet but about an earlier one, which is not always seen:
               // the kernel queues what ICMP says before it lets a call fail for it. That nobody
               // listens is never known at once.
               // And a firewall's refusal (EPERM) is never an earlier one's.
               retries++ >= (error_number != EPERM &&
                                     (errors_.drain(fd_.get()) || error_number == ECONNREFUSED)
                                 ? kPendingErrors
                                 : 1)) {
      if (run > 1) {
        // Each alone, to learn which packet it is about, and whether it is about any.
        if (error_number == EIO) writer_->lose_segments(error_number);
        single = next + run;
      } else {
        settle_refused(batch[next++], error_number);
      }
      retries = 0;
    }
  }
}

std::span<const packet::Unreachable> UdpSocket::take_unreachable(bool waiting) noexcept {
  if (waiting) errors_.drain(fd_.get());
  return errors_.take();
}

packet::OffloadStates UdpSocket::offloads() const {
  return {writer_->segments(), gathers_};
}

bool UdpSocket::send_cut() noexcept {
  set_mtu_discovery(fd_.get(), family_, IP_PMTUDISC_DONT);
  const int sent = ::sendmmsg(fd_.get(), writer_->messages(), 1, MSG_DONTWAIT);
  set_mtu_discovery(fd_.get(), family_, IP_PMTUDISC_DO);
  return sent == 1;
}

void UdpSocket::settle_refused(Packet& packet, int error_number) noexcept {
  if (error_number == EMSGSIZE && packet.may_be_cut && send_cut()) {
    packet.verdict = SendVerdict::kSent;
    return;
  }
  if (source_may_be_gone(error_number) && !packet.local.is_unspecified()) {
    packet.local = IpAddress::unspecified(packet.remote.address.family());
    sockaddr_storage address{};
    const socklen_t length = encode_endpoint(packet.remote, family_, address);
    const ssize_t sent = ::sendto(fd_.get(), packet.bytes.data(), packet.bytes.size(), MSG_DONTWAIT,
                                  reinterpret_cast<const sockaddr*>(&address), length);
    if (sent >= 0) {
      packet.verdict = SendVerdict::kSent;
      return;
    }
    error_number = errno;
  }
  if (error_number == EMSGSIZE) {
    packet.verdict = SendVerdict::kTooBig;
    packet.path_mtu = path_mtu(packet.remote);
  } else if (error_number == EAGAIN) {
    packet.verdict = SendVerdict::kWouldBlock;
  } else if (error_number == ENOBUFS) {
    packet.verdict = SendVerdict::kQueueFull;
  } else {
    refuse(packet, error_number);
  }
}

}  // namespace vpntun::os

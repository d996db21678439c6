// Descriptors of an earlier process: taken over when they are what a fresh one would be.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "kernel_test.h"
#include "os/address.h"
#include "os/tun.h"
#include "os/udp.h"

namespace vpntun::os {
namespace {

using AdoptTun = KernelTest;
using AdoptUdp = KernelTest;

UniqueFd copy_of(int fd) {
  return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

std::optional<Error> refusal(UniqueFd& fd, const std::string& pattern,
                             TunKind kind = TunKind::kTun) {
  return error_of([&] { Tun::adopt(fd, pattern, kind); });
}

TEST_F(AdoptTun, TheInterfaceGoesOnAsItWas) {
  UniqueFd kept;
  unsigned index = 0;
  {
    const Tun before = Tun::open("tun%d", TunKind::kTun);
    index = before.index();
    add_address(netlink(), index, prefix("10.1.2.3/24"));
    set_link_up(netlink(), index, true);
    kept = copy_of(before.fd());
  }
  const Tun after = Tun::adopt(kept, "tun%d", TunKind::kTun);
  EXPECT_FALSE(kept) << "it is the object's now";
  EXPECT_EQ(after.name(), "tun0");
  EXPECT_EQ(after.index(), index);
  EXPECT_TRUE(get_link(netlink(), "tun0").up);
  EXPECT_EQ(find_owner(netlink(), ip("10.1.2.3"))->index, index);
  EXPECT_NE(::fcntl(after.fd(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(AdoptTun, TheNameHasToFitThePattern) {
  const Tun tun = Tun::open("lab7x", TunKind::kTun);
  for (const char* pattern : {"lab7x", "lab%dx", "la%d", "%dlab7x"}) {
    UniqueFd kept = copy_of(tun.fd());
    const bool fits = std::string(pattern) == "lab7x" || std::string(pattern) == "lab%dx";
    if (fits)
      EXPECT_EQ(Tun::adopt(kept, pattern, TunKind::kTun).name(), "lab7x");
    else
      EXPECT_THAT(refusal(kept, pattern), IsError(ErrorKind::kFailed, "its interface is lab7x"));
  }
  for (const char* name : {"tunx", "tun", "tun01", "tun1x"}) {
    const Tun other = Tun::open(name, TunKind::kTun);
    UniqueFd kept = copy_of(other.fd());
    EXPECT_THAT(refusal(kept, "tun%d"), IsError(ErrorKind::kFailed, name));
    EXPECT_TRUE(kept) << "it stays the caller's";
  }
}

TEST_F(AdoptTun, TheKindHasToFit) {
  const Tun tap = Tun::open("tap0", TunKind::kTap);
  UniqueFd kept = copy_of(tap.fd());
  EXPECT_THAT(refusal(kept, "tap0"), IsError(ErrorKind::kFailed, "kind"));
  EXPECT_EQ(Tun::adopt(kept, "tap0", TunKind::kTap).index(), tap.index());
}

TEST_F(AdoptTun, ThatItHasOneQueueHasToFit) {
  UniqueFd kept(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  ifreq request{};
  std::string("tun0").copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE;
  ASSERT_EQ(::ioctl(kept.get(), TUNSETIFF, &request), 0);
  EXPECT_THAT(refusal(kept, "tun0"), IsError(ErrorKind::kFailed, "several queues"));
}

TEST_F(AdoptTun, ADeletedInterfaceIsRefused) {
  const Tun tun = Tun::open("tun0", TunKind::kTun);
  UniqueFd kept = copy_of(tun.fd());
  delete_link(netlink(), tun.index());
  EXPECT_THAT(refusal(kept, "tun0"), IsError(ErrorKind::kFailed, "deleted"));
}

TEST_F(AdoptTun, AnotherNamespaceIsRefused) {
  UniqueFd kept;
  {
    const Netns elsewhere = Netns::create_anonymous();
    const NetnsScope scope(elsewhere);
    kept = copy_of(Tun::open("tun0", TunKind::kTun).fd());
  }
  EXPECT_THAT(refusal(kept, "tun0"), IsError(ErrorKind::kFailed, "namespace"));
}

TEST_F(AdoptTun, AnInterfaceIsDeletedWhoeverElseHasItsDescriptor) {
  const Tun tun = Tun::open("tun0", TunKind::kTun);
  const UniqueFd kept = copy_of(tun.fd());
  delete_interface(kept.get());
  EXPECT_FALSE(find_link(netlink(), "tun0"));
  delete_interface(kept.get());  // gone already

  const Netns elsewhere = Netns::create_anonymous();
  std::optional<Tun> there;
  {
    const NetnsScope scope(elsewhere);
    there.emplace(Tun::open("tun0", TunKind::kTun));
  }
  const Tun here = Tun::open("tun0", TunKind::kTun);
  delete_interface(there->fd());
  EXPECT_TRUE(find_link(netlink(), "tun0")) << "the one of the same name here is another";
  const NetnsScope scope(elsewhere);
  NetlinkSocket netlink_there;
  EXPECT_FALSE(find_link(netlink_there, "tun0"));
}

TEST_F(AdoptTun, OtherDescriptorsAreRefused) {
  for (const char* path : {"/dev/null", "/proc/self/status"}) {
    UniqueFd kept(::open(path, O_RDONLY | O_CLOEXEC));
    EXPECT_THAT(refusal(kept, "tun0"), IsError(ErrorKind::kFailed, "no TUN"));
  }
  UniqueFd without_interface(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  EXPECT_TRUE(refusal(without_interface, "tun0"));
}

TEST_F(AdoptUdp, TheSocketGoesOnWithItsQueue) {
  set_link_up(netlink(), loopback(), true);
  ASSERT_TRUE(becomes_local(netlink(), "127.0.0.1"));
  UniqueFd kept;
  {
    const UdpSocket before = UdpSocket::bind(9090);
    kept = copy_of(before.fd());
  }
  UdpSocket sender = UdpSocket::bind(0);
  packet::Batch sent(1);
  sent.append(5).remote = endpoint("127.0.0.1:9090");
  sender.send(sent);

  UdpSocket after = UdpSocket::adopt(kept, 9090);
  EXPECT_FALSE(kept);
  EXPECT_EQ(after.local_port(), 9090);
  EXPECT_EQ(after.family(), Family::kIpv6);
  ASSERT_TRUE(wait_readable(after.fd()));
  packet::Batch received(1);
  std::ignore = after.receive(received);
  ASSERT_EQ(received.size(), 1u);
  EXPECT_EQ(received[0].remote.port, sender.local_port());
  EXPECT_EQ(received[0].local, ip("127.0.0.1")) << "options are set";
}

TEST_F(AdoptUdp, ThePortHasToFitAndAnyFitsNone) {
  const UdpSocket socket = UdpSocket::bind(9090);
  UniqueFd kept = copy_of(socket.fd());
  EXPECT_THAT(error_of([&] { UdpSocket::adopt(kept, 9091); }), IsError(ErrorKind::kFailed, "9090"));
  EXPECT_EQ(UdpSocket::adopt(kept, 0).local_port(), 9090);
}

TEST_F(AdoptUdp, OptionsAreThoseOfToday) {
  const UdpSocket socket = UdpSocket::bind(9090);
  UniqueFd kept = copy_of(socket.fd());
  UdpOptions options;
  options.mark = 7;
  const UdpSocket adopted = UdpSocket::adopt(kept, 9090, options);
  int mark = 0;
  socklen_t length = sizeof mark;
  ASSERT_EQ(::getsockopt(adopted.fd(), SOL_SOCKET, SO_MARK, &mark, &length), 0);
  EXPECT_EQ(mark, 7);
}

TEST_F(AdoptUdp, OtherSocketsAreRefused) {
  UniqueFd stream(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  UniqueFd old_family(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  UniqueFd unbound(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const int off = 0;
  ASSERT_EQ(::setsockopt(unbound.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off), 0);
  UniqueFd no_socket(::eventfd(0, EFD_CLOEXEC));
  for (UniqueFd* kept : {&stream, &old_family, &unbound, &no_socket}) {
    EXPECT_TRUE(error_of([&] { UdpSocket::adopt(*kept, 0); }));
    EXPECT_TRUE(*kept);
  }
}

TEST_F(AdoptUdp, AnotherNamespaceIsRefused) {
  UniqueFd kept;
  {
    const Netns elsewhere = Netns::create_anonymous();
    const NetnsScope scope(elsewhere);
    kept = copy_of(UdpSocket::bind(9090).fd());
  }
  EXPECT_THAT(error_of([&] { UdpSocket::adopt(kept, 9090); }),
              IsError(ErrorKind::kFailed, "namespace"));
}

}  // namespace
}  // namespace vpntun::os

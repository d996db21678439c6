#include "ctl/lab/tasks/one_way_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "os/address.h"
#include "packet/describe.h"

namespace vpntun::lab {
namespace {

os::Tun open_tun() {
  const os::NetnsScope scope(os::Netns::open(name_of(Host::kServer)));
  os::Tun tun = os::Tun::open("tun%d", os::TunKind::kTun);
  os::NetlinkSocket netlink;
  os::add_address(netlink, tun.index(), {IpAddress::parse(kServerTunnel).value(), 24});
  os::set_link_up(netlink, tun.index(), true);
  return tun;
}

UniqueFd open_socket() {
  const os::NetnsScope scope(os::Netns::open(name_of(Host::kServer)));
  UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(kPort);
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any)) != 0)
    throw_errno(errno, "listen on UDP port 9090 of the server");
  return fd;
}

}  // namespace

OneWayServer::OneWayServer(Stage& stage) : stage_(stage), tun_(open_tun()), socket_(open_socket()) {
  stage_.serve(socket_.get(), [this] { receive(); });
  stage_.captures().open(Host::kServer);
}

OneWayServer::~OneWayServer() {
  stage_.unserve(socket_.get());
}

void OneWayServer::receive() {
  sockaddr_in from{};
  socklen_t size = sizeof(from);
  batch_.clear();
  const auto room = batch_.room();
  const ssize_t length = ::recvfrom(socket_.get(), room.data(), room.size(), 0,
                                    reinterpret_cast<sockaddr*>(&from), &size);
  if (length <= 0) return;
  const packet::Packet& packet = batch_.append(static_cast<std::size_t>(length));
  char text[INET_ADDRSTRLEN];
  ::inet_ntop(AF_INET, &from.sin_addr, text, sizeof(text));
  printed_ += fmt::format("{}:{} --> 0.0.0.0:{}\n  inside: {}\n", text, ntohs(from.sin_port), kPort,
                          packet::describe_flow(packet.bytes));
  tun_.send(batch_);
}

}  // namespace vpntun::lab

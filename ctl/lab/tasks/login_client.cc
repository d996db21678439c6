#include "ctl/lab/tasks/login_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace vpntun::lab {

LoginClient::LoginClient(Stage& stage, Host from, std::string_view to) : stage_(stage) {
  sockaddr_in there{};
  there.sin_family = AF_INET;
  there.sin_port = htons(kLoginPort);
  ::inet_pton(AF_INET, std::string(to).c_str(), &there.sin_addr);
  stage.on(from, [&](os::NetlinkSocket&) {
    fd_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd_) throw_errno(errno, "create a TCP socket");
    if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&there), sizeof(there)) != 0 &&
        errno != EINPROGRESS)
      throw_errno(errno, fmt::format("connect to {}", to));
  });
  stage.wait_until("a TCP connection to " + std::string(to), [&] { return facts().established; });
}

const std::string& LoginClient::received() {
  std::array<char, 4096> part;
  for (;;) {
    const ssize_t length = ::recv(fd_.get(), part.data(), part.size(), MSG_DONTWAIT);
    if (length <= 0) return received_;
    received_.append(part.data(), static_cast<std::size_t>(length));
  }
}

void LoginClient::expect(const std::string& text) {
  stage_.wait_until(
      fmt::format("\"{}\" from the login service", text),
      [&] { return received().find(text) != std::string::npos; }, std::chrono::seconds(60));
}

void LoginClient::log_in(const std::string& name) {
  expect("login:");
  type_line(name);
  expect("Password:");
  type_line("secret");
  expect("v$ ");
}

void LoginClient::type_line(const std::string& line) {
  const std::string bytes = line + "\r\n";
  if (::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(bytes.size()))
    throw_errno(errno, "send to the login service");
}

TcpFacts LoginClient::facts() const {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
    throw_errno(errno, "ask about TCP");
  int queued = 0;
  if (::ioctl(fd_.get(), TIOCOUTQ, &queued) != 0) throw_errno(errno, "ask about TCP");
  return {info.tcpi_state == TCP_ESTABLISHED, queued, info.tcpi_total_retrans,
          std::chrono::microseconds(info.tcpi_rto)};
}

}  // namespace vpntun::lab

#include "manager/notify_socket.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/error.h"

namespace vpntun::manager {

namespace {

// As systemd: a longer message is cut.
constexpr std::size_t kMessageSize = 4096;
constexpr int kMessagesPerTurn = 64;

void bind_to(int socket, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    throw Error(ErrorKind::kFailed, "bind the notify socket {}: the path is longer than {} bytes",
                path, sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, path.data(), path.size());
  ::unlink(path.c_str());
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw_errno(errno, "bind the notify socket " + path);
  if (::chmod(path.c_str(), 0600) != 0) throw_errno(errno, "protect the notify socket " + path);
}

void take_control(msghdr& header, NotifySocket::Message& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_CREDENTIALS) {
      ucred credentials{};
      std::memcpy(&credentials, CMSG_DATA(part), sizeof credentials);
      message.sender = credentials.pid;
    } else if (part->cmsg_type == SCM_RIGHTS) {
      for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= part->cmsg_len; at += sizeof(int)) {
        int descriptor = -1;
        std::memcpy(&descriptor, reinterpret_cast<const char*>(part) + at, sizeof descriptor);
        message.fds.emplace_back(descriptor);
      }
    }
  }
}

}  // namespace

NotifySocket::NotifySocket(service::Loop& loop, std::string folder, Received received)
    : folder_(std::move(folder)), received_(std::move(received)) {
  if (folder_.empty()) {
    std::string pattern = "/tmp/vpntund-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr)
      throw_errno(errno, "make the runtime folder " + pattern);
    folder_ = pattern;
    own_folder_ = true;
  } else if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) {
    throw_errno(errno, "make the runtime folder " + folder_);
  }
  // Sessions run with the same working directory, but $NOTIFY_SOCKET has to be absolute.
  path_ = (std::filesystem::absolute(folder_) / "notify").string();
  socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_) throw_errno(errno, "open the notify socket");
  const int on = 1;
  if (::setsockopt(socket_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0)
    throw_errno(errno, "ask for credentials on the notify socket");
  bind_to(socket_.get(), path_);
  source_ = loop.add_io(socket_.get(), EPOLLIN, [this](std::uint32_t) { drain(); });
}

NotifySocket::~NotifySocket() {
  ::unlink(path_.c_str());
  if (own_folder_) ::rmdir(folder_.c_str());
}

std::optional<std::string_view> NotifySocket::Message::value_of(std::string_view name) const {
  for (const std::string_view line : lines)
    if (line.starts_with(name) && line.substr(name.size()).starts_with('='))
      return line.substr(name.size() + 1);
  return std::nullopt;
}

void NotifySocket::drain() {
  for (int count = 0; count < kMessagesPerTurn && receive_one(); ++count) {
  }
}

bool NotifySocket::receive_one() {
  std::array<char, kMessageSize> text{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * 253)>
      control{};
  iovec part{.iov_base = text.data(), .iov_len = text.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t length = ::recvmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (length < 0) return errno == EINTR;
  Message message;
  take_control(header, message);
  std::string_view rest(text.data(), static_cast<std::size_t>(length));
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    message.lines.emplace_back(line);
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  received_(message);
  return true;
}

}  // namespace vpntun::manager

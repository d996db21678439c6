#include "ctl/lab/login_service.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace vpntun::lab {
namespace {

constexpr std::size_t kMaxClients = 32;
constexpr std::size_t kMaxLine = 1024;  // bytes; a longer one is cut

// What a telnet client says about its terminal (RFC 854): IAC WILL/WONT/DO/DONT option, IAC SB ...
// IAC SE. We have no wishes of our own, so all of it is passed over.
class TelnetFilter {
 public:
  // Whether the byte belongs to the text.
  bool is_text(std::uint8_t byte) noexcept {
    switch (state_) {
      case State::kText:
        if (byte == kIac) state_ = State::kCommand;
        return byte != kIac;
      case State::kCommand:
        if (byte == kSb)
          state_ = State::kSubnegotiation;
        else
          state_ = byte >= kWill && byte != kIac ? State::kOption : State::kText;
        return false;
      case State::kOption:
        state_ = State::kText;
        return false;
      case State::kSubnegotiation:
        if (byte == kSe) state_ = State::kText;
        return false;
    }
    return false;
  }

 private:
  enum class State { kText, kCommand, kOption, kSubnegotiation };
  static constexpr std::uint8_t kSe = 240, kSb = 250, kWill = 251, kIac = 255;
  State state_ = State::kText;
};

class Client {
 public:
  explicit Client(UniqueFd fd) : fd_(std::move(fd)) { say("V login: "); }

  int fd() const noexcept { return fd_.get(); }

  // False: the connection is over.
  bool read() {
    std::uint8_t bytes[4096];
    const ssize_t length = ::recv(fd_.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (length <= 0) return false;
    for (ssize_t i = 0; i < length; ++i) {
      if (!take(bytes[i])) return false;
    }
    return true;
  }

 private:
  enum class Step { kName, kPassword, kShell };

  bool take(std::uint8_t byte) {
    if (!filter_.is_text(byte) || byte == '\r' || byte == 0) return true;
    if (byte != '\n') {
      if (line_.size() < kMaxLine) line_.push_back(static_cast<char>(byte));
      return true;
    }
    const bool goes_on = answer(line_);
    line_.clear();
    return goes_on;
  }

  bool answer(const std::string& line) {
    switch (step_) {
      case Step::kName:
        name_ = line;
        step_ = Step::kPassword;
        return say("Password: ");
      case Step::kPassword:
        step_ = Step::kShell;
        return say("Welcome to V, " + name_ + ". Every line comes back; \"exit\" ends.\r\nv$ ");
      case Step::kShell:
        return line != "exit" && say(line + "\r\nv$ ");
    }
    return false;
  }

  // A client that does not read loses its connection: nobody waits for it.
  bool say(const std::string& text) {
    return ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
           static_cast<ssize_t>(text.size());
  }

  UniqueFd fd_;
  TelnetFilter filter_;
  Step step_ = Step::kName;
  std::string name_;
  std::string line_;
};

void serve_turn(const UniqueFd& listener, std::vector<Client>& clients) {
  std::vector<pollfd> waits;
  waits.push_back({listener.get(), POLLIN, 0});
  for (const Client& client : clients) waits.push_back({client.fd(), POLLIN, 0});
  if (::poll(waits.data(), waits.size(), -1) < 0) return;
  for (std::size_t i = clients.size(); i-- > 0;) {
    if (waits[i + 1].revents != 0 && !clients[i].read())
      clients.erase(clients.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (waits[0].revents == 0) return;
  UniqueFd fresh(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!fresh) return;
  // Whose tunnel was taken down first never says goodbye.
  if (clients.size() == kMaxClients) clients.erase(clients.begin());
  clients.emplace_back(std::move(fresh));
}

}  // namespace

UniqueFd listen_for_logins(int port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) throw_errno(errno, "create the socket of the login service");
  const int one = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(static_cast<std::uint16_t>(port));
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any)) != 0 ||
      ::listen(fd.get(), 16) != 0)
    throw_errno(errno, fmt::format("listen on port {}", port));
  return fd;
}

void serve_logins(const UniqueFd& listener) noexcept {
  std::vector<Client> clients;
  for (;;) serve_turn(listener, clients);
}

}  // namespace vpntun::lab

#include "session/control_socket.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "session/uapi.h"

namespace vpntun::session {

namespace {

constexpr int kBacklog = 64;
constexpr Duration kPause = std::chrono::seconds(1);
constexpr std::size_t kPiece = 64 << 10;  // bytes read or written in one turn of the loop
constexpr mode_t kFolderMode = 0755;
constexpr mode_t kFileMode = 0600;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw_errno(ENAMETOOLONG, "listen at " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return address;
}

UniqueFd local_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) throw_errno(errno, "make a control socket");
  return fd;
}

// Where it cannot be told (a full queue, another user's file) somebody does.
bool somebody_listens(const std::string& path) {
  const sockaddr_un address = address_of(path);
  const UniqueFd fd = local_socket();
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
         (errno != ECONNREFUSED && errno != ENOENT);
}

bool may_speak(int fd) {
  ucred caller{};
  socklen_t size = sizeof caller;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &caller, &size) != 0) return false;
  if (caller.uid == 0 || caller.uid == ::geteuid()) return true;
  log::event(log::Event::kCallerRefused, {},
             "user {} may not use the control socket: it is for root and user {}", caller.uid,
             ::geteuid());
  return false;
}

// Like append(), without leaving keys behind where the text was before.
void append_wiping(std::string& text, std::string_view more) {
  if (text.size() + more.size() > text.capacity()) {
    std::string larger;
    larger.reserve(std::max(2 * text.capacity(), text.size() + more.size()));
    larger = text;
    crypto::wipe(text);
    text = std::move(larger);
  }
  text += more;
}

}  // namespace

// One caller: request, answer, request, ... Its end is reported once, and not from within the
// constructor.
class ControlSocket::Connection {
 public:
  Connection(service::Loop& loop, UniqueFd fd, const Answer& answer, std::function<void()> ended)
      : loop_(loop), fd_(std::move(fd)), answer_(answer), ended_(std::move(ended)) {
    timer_ = loop_.add_timer(loop_.now() + kControlPatience, ended_);
    source_ = loop_.add_io(fd_.get(), EPOLLIN, [this](std::uint32_t) { go_on(); });
  }
  ~Connection() {
    crypto::wipe(received_);
    crypto::wipe(to_send_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

 private:
  // What goes wrong here is no reason to end a tunnel.
  void go_on() {
    bool goes_on = false;
    try {
      goes_on = to_send_.empty() ? receive() : send();
    } catch (const std::exception& error) {
      log::warning("a request through the control socket fails: {}", error.what());
    }
    if (goes_on) return;
    const std::function<void()> ended = ended_;  // outlives this object
    ended();
  }

  bool receive() {
    std::array<char, kPiece> piece;
    const ssize_t got = ::recv(fd_.get(), piece.data(), piece.size(), 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    const std::size_t known = received_.size();
    append_wiping(received_, {piece.data(), static_cast<std::size_t>(got)});
    crypto::wipe({reinterpret_cast<std::uint8_t*>(piece.data()), static_cast<std::size_t>(got)});
    if (too_large_) return discard();
    give_time();
    return answer_next(known);
  }

  // Nothing more is read before the answer is sent. known: as of uapi::request_size().
  bool answer_next(std::size_t known = 0) {
    const std::optional<std::size_t> size = uapi::request_size(received_, known);
    if (!size) return false;
    if (*size == 0 && received_.size() <= uapi::kLargestRequest) return true;
    // Its sender waits until all of it is taken, so the rest is too, and the answer is the last.
    too_large_ = *size == 0 || *size > uapi::kLargestRequest;
    if (too_large_) return discard();
    std::string text = answer_(std::string_view(received_).substr(0, *size));
    std::string rest = received_.substr(*size);
    crypto::wipe(received_);
    received_ = std::move(rest);
    return begin_sending(std::move(text));
  }

  // Up to the empty line.
  bool discard() {
    const bool ends = received_.find("\n\n") != std::string::npos;
    const char last = received_.back();
    crypto::wipe(received_);
    received_ = last;
    return ends ? begin_sending(uapi::errno_answer(EMSGSIZE)) : true;
  }

  // Making it may have taken long, and was not the caller's time.
  bool begin_sending(std::string text) {
    to_send_ = std::move(text);
    sent_ = 0;
    loop_.set_io_events(source_, EPOLLOUT);
    give_time();
    return true;
  }
  void give_time() { loop_.set_timer(timer_, BootClock::now() + kControlPatience); }

  bool send() {
    const std::size_t size = std::min(kPiece, to_send_.size() - sent_);
    const ssize_t put = ::send(fd_.get(), to_send_.data() + sent_, size, MSG_NOSIGNAL);
    if (put < 0) return errno == EAGAIN || errno == EINTR;
    sent_ += static_cast<std::size_t>(put);
    give_time();
    if (sent_ < to_send_.size()) return true;
    crypto::wipe(to_send_);
    if (too_large_) return false;
    loop_.set_io_events(source_, EPOLLIN);
    return received_.empty() || answer_next();
  }

  service::Loop& loop_;
  const UniqueFd fd_;
  const Answer& answer_;
  const std::function<void()> ended_;  // destroys this object
  std::string received_;
  std::string to_send_;  // empty: a request is awaited
  std::size_t sent_ = 0;
  bool too_large_ = false;
  service::EventSource timer_;
  service::EventSource source_;
};

ControlSocket::ControlSocket(service::Loop& loop, const std::string& interface, Answer answer,
                             const std::string& folder)
    : loop_(loop),
      path_(fmt::format("{}/{}.sock", folder, interface)),
      answer_(std::move(answer)),
      fd_(local_socket()) {
  if (::mkdir(folder.c_str(), kFolderMode) != 0 && errno != EEXIST)
    throw_errno(errno, "make the folder " + folder);
  if (somebody_listens(path_))
    throw Error(ErrorKind::kAddressInUse, "another process listens at {}", path_);
  listen();
  listening_ = loop_.add_io(fd_.get(), EPOLLIN, [this](std::uint32_t) { accept_all(); });
  again_ = loop_.add_timer(loop_.now(), [this] { resume(); });
}

ControlSocket::~ControlSocket() {
  struct stat now {};
  if (::lstat(path_.c_str(), &now) == 0 && now.st_dev == file_.st_dev && now.st_ino == file_.st_ino)
    ::unlink(path_.c_str());
}

// Takes its place with one step, complete: wg(8) deletes a file where nobody listens.
void ControlSocket::listen() {
  const std::string making = fmt::format("{}.{}", path_, ::getpid());
  const sockaddr_un address = address_of(making);
  ::unlink(making.c_str());  // of a process of this number that was killed here
  const auto fail = [&](const char* step) {
    const int error_number = errno;
    ::unlink(making.c_str());
    throw_errno(error_number, fmt::format("{} {}", step, path_));
  };
  if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw_errno(errno, "make the control socket " + path_);
  if (::chmod(making.c_str(), kFileMode) != 0) fail("set the mode of");
  if (::lstat(making.c_str(), &file_) != 0) fail("look at");
  if (::listen(fd_.get(), kBacklog) != 0) fail("listen at");
  if (::rename(making.c_str(), path_.c_str()) != 0) fail("put in place");
}

void ControlSocket::accept_all() {
  try {
    while (accept_one()) continue;
  } catch (const std::exception& error) {
    log::warning("a caller of the control socket is turned away: {}", error.what());
    pause();
  }
}

// False: nobody waits, or nobody can be taken in now.
bool ControlSocket::accept_one() {
  const auto free = std::ranges::find_if(connections_, [](const auto& each) { return !each; });
  if (free == connections_.end()) {
    loop_.set_io_events(listening_, 0);  // until a connection ends
    return false;
  }
  UniqueFd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) {
    if (errno == ECONNABORTED || errno == EINTR) return true;
    if (errno != EAGAIN) pause();
    return false;
  }
  if (!may_speak(fd.get())) return true;
  *free = std::make_unique<Connection>(loop_, std::move(fd), answer_, [this, &place = *free] {
    place.reset();
    resume();
  });
  return true;
}

// Out of descriptors or memory: who waits would be reported again at once, for ever.
void ControlSocket::pause() {
  loop_.set_io_events(listening_, 0);
  loop_.set_timer(again_, loop_.now() + kPause);
}

void ControlSocket::resume() {
  loop_.set_io_events(listening_, EPOLLIN);
}

}  // namespace vpntun::session

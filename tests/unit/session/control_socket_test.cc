// The control socket itself: framing, limits, and the file's life.
#include "session/control_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <list>

#include "base/error.h"
#include "hosts.h"
#include "session/uapi.h"

namespace vpntun::session {
namespace {

class Folder {
 public:
  Folder() {
    std::string pattern = "/tmp/vpntun-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

int stream_socket() {
  return ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

sockaddr_un address_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return address;
}

// Somebody who is connected.
class Caller {
 public:
  explicit Caller(const std::string& path) : fd_(stream_socket()) {
    const sockaddr_un address = address_at(path);
    connected_ =
        ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  bool connected() const { return connected_; }
  // How much of it the socket took.
  std::size_t say(std::string_view text) const {
    const ssize_t put = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    return put < 0 ? 0 : static_cast<std::size_t>(put);
  }
  // All that was said to it so far.
  const std::string& heard() {
    std::array<char, 65536> piece;
    ssize_t got = 0;
    while ((got = ::recv(fd_.get(), piece.data(), piece.size(), 0)) > 0)
      heard_.append(piece.data(), static_cast<std::size_t>(got));
    ended_ = ended_ || got == 0 || errno == ECONNRESET;
    return heard_;
  }
  bool ended() {
    heard();
    return ended_;
  }

 private:
  UniqueFd fd_;
  bool connected_ = false;
  bool ended_ = false;
  std::string heard_;
};

class Socket : public testing::Test {
 protected:
  std::unique_ptr<ControlSocket> open() {
    return std::make_unique<ControlSocket>(
        loop_, "wg0",
        [this](std::string_view request) {
          requests_.emplace_back(request);
          return answer_;
        },
        folder());
  }
  std::string folder() const { return folder_.path() + "/wireguard"; }
  std::string path() const { return folder() + "/wg0.sock"; }
  bool comes(const std::function<bool()>& condition) { return run_until(loop_, condition); }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder()), {}));
  }

  service::Loop loop_;
  const Folder folder_;
  std::string answer_ = "errno=0\n\n";
  std::vector<std::string> requests_;
};

mode_t mode_of(const std::string& path) {
  struct stat found {};
  EXPECT_EQ(::stat(path.c_str(), &found), 0) << path;
  return found.st_mode & 07777;
}

TEST_F(Socket, IsThereForItsOwnerWhileItIsNeeded) {
  {
    const auto socket = open();
    EXPECT_EQ(mode_of(path()), 0600u);
    EXPECT_EQ(mode_of(folder()) & 0700, 0700u);
    EXPECT_EQ(files(), 1u);
    EXPECT_TRUE(Caller(path()).connected());
  }
  EXPECT_EQ(files(), 0u);
}

TEST_F(Socket, AnswersOneRequestAfterTheOther) {
  const auto socket = open();
  Caller caller(path());
  caller.say("get=1\n\n");
  ASSERT_TRUE(comes([&] { return caller.heard() == answer_; }));
  caller.say("set=1\nfwmark=1\n");
  caller.say("\nget=1\n\nge");
  ASSERT_TRUE(comes([&] { return caller.heard() == answer_ + answer_ + answer_; }));
  EXPECT_EQ(requests_, (std::vector<std::string>{"get=1\n\n", "set=1\nfwmark=1\n\n", "get=1\n\n"}));
  caller.say("t=1\n\n");
  EXPECT_TRUE(comes([&] { return requests_.size() == 4; }));
}

TEST_F(Socket, TakesARequestByteByByte) {
  const auto socket = open();
  Caller caller(path());
  for (const char c : std::string_view("set=1\nlisten_port=1\n\n")) {
    caller.say({&c, 1});
    ASSERT_TRUE(comes([] { return true; }));
  }
  ASSERT_TRUE(comes([&] { return caller.heard() == answer_; }));
  EXPECT_EQ(requests_, std::vector<std::string>{"set=1\nlisten_port=1\n\n"});
}

TEST_F(Socket, SendsALargeAnswerToWhoReadsSlowly) {
  answer_ = std::string(3 << 20, 'x') + "\nerrno=0\n\n";
  const std::string twice = answer_ + answer_;
  const auto socket = open();
  Caller caller(path());
  caller.say("get=1\n\nget=1\n\n");
  EXPECT_TRUE(comes([&] { return caller.heard() == twice; }));
}

// The whole takes longer than it has patience.
TEST_F(Socket, SendsNobodyAwayWhoReadsAPieceNowAndThen) {
  answer_ = std::string(6 << 16, 'x') + "\nerrno=0\n\n";
  const auto socket = open();
  Caller caller(path());
  caller.say("get=1\n\n");
  Instant next = BootClock::now();
  EXPECT_TRUE(comes([&] {
    if (BootClock::now() < next) return false;
    next += kControlPatience / 5;
    return caller.heard() == answer_;
  }));
}

TEST_F(Socket, EndsWithWhoDoesNotSpeakTheProtocol) {
  const auto socket = open();
  Caller caller(path());
  caller.say("GET / HTTP/1.0\r\n");
  EXPECT_TRUE(comes([&] { return caller.ended(); }));
  EXPECT_EQ(caller.heard(), "");
  EXPECT_TRUE(requests_.empty());
}

TEST_F(Socket, HalfARequestIsNone) {
  const auto socket = open();
  { Caller(path()).say("set=1\nfwmark=1\n"); }
  Caller next(path());
  next.say("get=1\n\n");
  ASSERT_TRUE(comes([&] { return !next.heard().empty(); }));
  EXPECT_EQ(requests_, std::vector<std::string>{"get=1\n\n"});
}

TEST_F(Socket, TakesTheLargestRequestAndRefusesALargerOne) {
  const auto socket = open();
  const std::string line = "allowed_ip=::/0\n";
  for (const bool too_large : {false, true}) {
    std::string request = "set=1\n";
    while (request.size() + line.size() < uapi::kLargestRequest) request += line;
    if (too_large) request += line + line + line;
    request += "\n";
    Caller caller(path());
    std::size_t said = 0;
    ASSERT_TRUE(comes([&] {
      said += caller.say(std::string_view(request).substr(said));
      return said == request.size() && !caller.heard().empty();
    }));
    EXPECT_EQ(caller.heard(), too_large ? uapi::errno_answer(EMSGSIZE) : answer_);
  }
  EXPECT_EQ(requests_.size(), 1u);
}

TEST_F(Socket, SixteenAreConnectedAndTheOthersWait) {
  const auto socket = open();
  std::list<Caller> silent;
  for (std::size_t i = 0; i < kMaxControlConnections; ++i) silent.emplace_back(path());
  Caller waiting(path());
  waiting.say("get=1\n\n");
  silent.front().say("get=1\n\n");
  ASSERT_TRUE(comes([&] { return silent.front().heard() == answer_; }));
  ASSERT_TRUE(comes([] { return true; }));
  EXPECT_EQ(waiting.heard(), "");
  silent.pop_back();
  EXPECT_TRUE(comes([&] { return waiting.heard() == answer_; }));
}

TEST_F(Socket, WhoSaysNothingIsSentAway) {
  const auto socket = open();
  std::list<Caller> silent;
  for (std::size_t i = 0; i < kMaxControlConnections; ++i) silent.emplace_back(path());
  silent.back().say("set=1\n");
  Caller waiting(path());
  waiting.say("get=1\n\n");
  EXPECT_TRUE(comes([&] { return waiting.heard() == answer_; }));
  EXPECT_TRUE(comes([&] { return silent.back().ended(); }));
}

TEST_F(Socket, AnAnswerThatFailsEndsOneConnection) {
  ControlSocket socket(
      loop_, "wg0",
      [this](std::string_view request) {
        if (request.starts_with("set")) throw Error(ErrorKind::kFailed, "no");
        return answer_;
      },
      folder());
  Caller caller(path());
  Caller other(path());
  caller.say("set=1\n\n");
  EXPECT_TRUE(comes([&] { return caller.ended(); }));
  other.say("get=1\n\n");
  EXPECT_TRUE(comes([&] { return other.heard() == answer_; }));
}

TEST_F(Socket, TakesThePlaceOfAProcessThatIsGone) {
  std::filesystem::create_directory(folder());
  {
    const UniqueFd gone(stream_socket());
    const sockaddr_un address = address_at(path());
    ASSERT_EQ(::bind(gone.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  EXPECT_FALSE(Caller(path()).connected());
  const auto socket = open();
  EXPECT_TRUE(Caller(path()).connected());
  EXPECT_EQ(files(), 1u);
}

TEST_F(Socket, LeavesALivingProcessItsPlace) {
  const auto first = open();
  try {
    open();
    ADD_FAILURE() << "two at one place";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kAddressInUse);
  }
  Caller caller(path());
  caller.say("get=1\n\n");
  EXPECT_TRUE(comes([&] { return caller.heard() == answer_; }));
}

TEST_F(Socket, LeavesAFileThatIsAnothersByNow) {
  {
    const auto socket = open();
    std::filesystem::remove(path());
    std::ofstream(path()) << "another's";
  }
  EXPECT_EQ(files(), 1u);
}

TEST_F(Socket, CannotBeWhereThereIsNoFolder) {
  std::ofstream(folder()) << "a file";
  EXPECT_THROW(open(), Error);
}

}  // namespace
}  // namespace vpntun::session

#include "service/notify.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>

#include "base/unique_fd.h"

namespace vpntun::service {
namespace {

// A service manager's end: a datagram socket named by $NOTIFY_SOCKET.
class NotifySocket : public testing::Test {
 protected:
  void SetUp() override {
    path_ = "/tmp/vpntun-notify-test." + std::to_string(getpid());
    socket_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    ::unlink(path_.c_str());
    ASSERT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ::setenv("NOTIFY_SOCKET", path_.c_str(), 1);
  }
  void TearDown() override {
    ::unsetenv("NOTIFY_SOCKET");
    ::unlink(path_.c_str());
  }
  std::string next() {
    std::array<char, 4096> buffer{};
    const ssize_t length = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    return length < 0 ? "nothing" : std::string(buffer.data(), static_cast<std::size_t>(length));
  }

 private:
  std::string path_;
  UniqueFd socket_;
};

TEST_F(NotifySocket, TellsReadyStoppingAndStatus) {
  notify_ready();
  EXPECT_EQ(next(), "READY=1");
  notify_stopping();
  EXPECT_EQ(next(), "STOPPING=1");
  notify_status("address 192.168.53.99 is taken");
  EXPECT_EQ(next(), "STATUS=address 192.168.53.99 is taken");
}

TEST_F(NotifySocket, AStatusCannotSmuggleAnotherAssignment) {
  notify_status("bad\nREADY=1\r\nend");
  EXPECT_EQ(next(), "STATUS=bad READY=1  end");
}

TEST(Notify, DoesNothingWithoutAServiceManager) {
  ::unsetenv("NOTIFY_SOCKET");
  notify_ready();
  notify_stopping();
  notify_status("nobody listens");
}

}  // namespace
}  // namespace vpntun::service

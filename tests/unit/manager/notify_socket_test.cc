#include "manager/notify_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "world.h"

namespace vpntun::manager {
namespace {

void send_with_descriptor(const std::string& path, const std::string& text, int descriptor) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM, 0));
  iovec part{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_name = &address;
  message.msg_namelen = sizeof address;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof descriptor);
  std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
  ASSERT_EQ(::sendmsg(socket.get(), &message, 0), static_cast<ssize_t>(text.size()));
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator entries("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

TEST(NotifySocket, GivesLinesWithTheirSenderAndKeepsNoDescriptorThatNobodyTakes) {
  service::Loop loop;
  const Folder folder;
  std::vector<std::string> lines;
  NotifySocket socket(loop, folder / "run", [&](NotifySocket::Message& message) {
    EXPECT_EQ(message.sender, ::getpid());
    EXPECT_EQ(message.fds.size(), 1u);
    lines.insert(lines.end(), message.lines.begin(), message.lines.end());
  });
  const std::size_t before = open_descriptors();
  send_with_descriptor(socket.path(), "READY=1\nSTATUS=all well\n", STDIN_FILENO);
  send_with_descriptor(socket.path(), std::string(3, '\0') + "\n\n=", STDIN_FILENO);
  socket.drain();
  EXPECT_EQ(lines, (std::vector<std::string>{"READY=1", "STATUS=all well", std::string(3, '\0'), "",
                                             "="}));
  EXPECT_EQ(open_descriptors(), before);
}

TEST(NotifySocket, AValueIsThatOfTheWholeName) {
  NotifySocket::Message message;
  message.lines = {"FDNAMES=no", "FDNAME=tun", "FDNAME=second", "EMPTY=", "=odd"};
  EXPECT_EQ(message.value_of("FDNAME"), "tun");
  EXPECT_EQ(message.value_of("EMPTY"), "");
  EXPECT_EQ(message.value_of("FD"), std::nullopt);
}

TEST(NotifySocket, IsForItsOwnerOnlyAndLeavesNothingBehind) {
  service::Loop loop;
  std::string path;
  {
    const NotifySocket socket(loop, "", [](NotifySocket::Message&) {});
    path = socket.path();
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    ASSERT_EQ(::stat(std::filesystem::path(path).parent_path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U);
  }
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(path).parent_path()));
}

TEST(NotifySocket, SaysWhatIsWrongWithItsFolder) {
  service::Loop loop;
  EXPECT_THROW(NotifySocket(loop, "/proc/none/such", [](NotifySocket::Message&) {}), Error);
  const Folder folder;
  EXPECT_THROW(NotifySocket(loop, folder / std::string(120, 'x'), [](NotifySocket::Message&) {}),
               Error);
}

}  // namespace
}  // namespace vpntun::manager

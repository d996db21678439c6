// Tests on the real kernel: each runs in network and mount namespaces of its own, with its own
// /run, and where it is not root in a user namespace too. Nothing it does reaches the machine.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/error.h"
#include "os/link.h"
#include "os/netlink.h"
#include "os/netns.h"

namespace vpntun::os {

class KernelTest : public ::testing::Test {
 protected:
  void SetUp() override;

  NetlinkSocket& netlink() { return *netlink_; }
  unsigned loopback() { return get_link(netlink(), "lo").index; }

 private:
  std::optional<NetlinkSocket> netlink_;
};

// This namespace (10.9.0.1/24, fd00:9::1/64 on "left") and another (10.9.0.2/24, fd00:9::2/64 on
// "right"), joined by a veth pair, loopback up in both.
class TwoHostsTest : public KernelTest {
 protected:
  void SetUp() override;

  const Netns& far() const { return *far_; }
  NetlinkSocket& far_netlink() { return *far_netlink_; }
  unsigned left() const { return left_; }
  unsigned right() const { return right_; }

 private:
  std::optional<Netns> far_;
  std::optional<NetlinkSocket> far_netlink_;
  unsigned left_ = 0;
  unsigned right_ = 0;
};

IpAddress ip(std::string_view text);
IpPrefix prefix(std::string_view text);
Endpoint endpoint(std::string_view text);

// The Error that `action` throws; fails the test and returns nullopt if it throws none.
std::optional<Error> error_of(const std::function<void()>& action);

// Whether fd becomes readable within a minute.
bool wait_readable(int fd);
// Whether the condition holds within a minute: of a machine with much else to do.
bool eventually(const std::function<bool()>& condition);

// Whether the address is reached through this host's own stack, within a minute.
bool becomes_local(NetlinkSocket& netlink, std::string_view address);

// Runs `check` in a child that has no capabilities, and returns whether it returned true.
bool without_capabilities(const std::function<bool()>& check);

MATCHER_P2(IsError, kind, text, "") {
  if (!arg) return false;
  *result_listener << "\"" << arg->what() << "\"";
  return arg->kind() == kind && std::string(arg->what()).find(text) != std::string::npos;
}

}  // namespace vpntun::os

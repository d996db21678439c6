// Two hosts with a UDP socket each: port 9090 here, port 4000 at the far one.
#pragma once

#include <sched.h>

#include <optional>

#include "kernel_test.h"
#include "os/udp.h"

namespace vpntun::os {

class TwoSocketsTest : public TwoHostsTest {
 protected:
  void SetUp() override { set_up({}); }
  // Both sockets with these options. On one processor: the wire between the hosts has a queue for
  // each, and packets in one may overtake those in another.
  void set_up(const UdpOptions& options) {
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(static_cast<unsigned>(::sched_getcpu()), &here);
    ASSERT_EQ(::sched_setaffinity(0, sizeof here, &here), 0);
    TwoHostsTest::SetUp();
    here_.emplace(UdpSocket::bind(9090, options));
    const NetnsScope scope(far());
    there_.emplace(UdpSocket::bind(4000, options));
  }
  UdpSocket& here() { return *here_; }
  UdpSocket& there() { return *there_; }

 private:
  std::optional<UdpSocket> here_;
  std::optional<UdpSocket> there_;
};

}  // namespace vpntun::os

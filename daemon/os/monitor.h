// Notices of changed links, addresses, routes and routing rules in the network namespace the
// calling thread had when it was opened. Caller: session/ on its loop. Thread: control.
#pragma once

#include <span>
#include <variant>
#include <vector>

#include "base/unique_fd.h"
#include "os/address.h"
#include "os/link.h"
#include "os/route.h"
#include "os/rule.h"

namespace vpntun::os {

struct LinkNotice {
  Link link;
  bool removed = false;
};
struct AddressNotice {
  InterfaceAddress address;
  bool removed = false;
};
struct RouteNotice {
  Route route;
  bool removed = false;
};
struct RuleNotice {
  Rule rule;
  bool removed = false;
};
// The kernel could not keep up: anything may have changed, look again.
struct NoticesLost {};

using Notice = std::variant<LinkNotice, AddressNotice, RouteNotice, RuleNotice, NoticesLost>;

// Pure: the notices in a datagram of the subscription.
std::vector<Notice> parse_notices(std::span<const std::uint8_t> datagram);

class Monitor {
 public:
  Monitor();

  // Readable when a notice waits.
  int fd() const noexcept { return fd_.get(); }
  // All that wait, oldest first. Never blocks.
  std::vector<Notice> take();

 private:
  UniqueFd fd_;
};

}  // namespace vpntun::os

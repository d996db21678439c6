// The default route into a tunnel, by policy routing as wg-quick(8) does it: packets without the
// tunnel's mark look into the main table, where no default route counts, and then into a table that
// has the tunnel's; those with the mark, the tunnel's own datagrams, go where they went before, so
// that they never loop. A family that shall not go past the tunnel is refused in its place.
// docs/routing.md tells it to users. Thread: control.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "os/netlink.h"
#include "os/nft.h"
#include "os/rule.h"
#include "session/host_changes.h"
#include "session/host_config.h"

namespace vpntun::session {

// Pure: the rules, in the order in which they are to be added.
std::vector<os::Rule> rules_for(Unrouted unrouted_v4, Unrouted unrouted_v6, std::uint32_t mark);

class PolicyRouting {
 public:
  struct Tunnel {
    std::string name;
    unsigned index = 0;
    std::uint16_t port = 0;  // of the UDP socket
    std::uint32_t mark = 0;  // of choose_mark()
  };

  // Sets up what is wanted, or goes on with what an earlier run of this tunnel left, without a gap;
  // takes away what that left beyond it. What was done is undone when not all could be. The
  // interface is up. netlink: of the interface's namespace; both must outlive this. Errors:
  // kRouteConflict (another tunnel has the default route), kAccessDenied, kNotSupported.
  PolicyRouting(const Namespaces& namespaces, os::NetlinkSocket& netlink, Tunnel tunnel,
                const HostConfig& wanted);
  ~PolicyRouting();
  PolicyRouting(const PolicyRouting&) = delete;
  PolicyRouting& operator=(const PolicyRouting&) = delete;

  // Errors as the constructor's; what was done until then stays.
  void replace(const HostConfig& wanted);
  // After a change on the host: puts back what somebody took away, and looks after interfaces that
  // are new. Never throws; what fails is in failure().
  void look() noexcept;
  // As look(), for the nftables table, of which the kernel sends no notice.
  void look_at_reply_path() noexcept;
  // A session follows that takes it over.
  void release() noexcept;
  // Why answers of peers may not come in, or packets go past the tunnel; empty: all is well.
  const std::string& failure() const noexcept {
    return failure_.empty() ? reply_path_failure_ : failure_;
  }

 private:
  void refuse_second(const std::vector<os::Rule>& wanted) const;
  void set_routes();
  void set_rules(const std::vector<os::Rule>& wanted);
  void set_claim(bool wanted);
  void set_reply_path();
  void set_source_check();
  std::vector<std::string> interfaces_that_check() const;
  void take_away() noexcept;
  bool is_active() const noexcept;

  const Namespaces& namespaces_;
  os::NetlinkSocket& netlink_;
  Tunnel tunnel_;
  HostConfig wanted_;
  std::optional<os::ReplyPath> reply_path_;  // as installed
  std::size_t reply_path_rules_ = 0;         // of it
  std::string reply_path_failure_;
  std::optional<InterfaceSwitch> source_check_;
  bool released_ = false;
  std::string failure_;
};

// What an earlier run of the tunnel left in the namespace of the calling thread. Errors: any.
void give_up_policy_routing(os::NetlinkSocket& netlink, const std::string& tunnel);

}  // namespace vpntun::session

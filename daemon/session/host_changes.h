// What a session changes on the host beyond its own interface, each undone by its destructor: a
// network namespace, forwarding, masquerading. Addresses and routes need none of this: they go with
// the interface. Thread: control.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "config/profile.h"
#include "os/netlink.h"
#include "os/netns.h"
#include "os/nft.h"
#include "session/resolver.h"

namespace vpntun::session {

// Where the interface lives and where the UDP socket lives.
class Namespaces {
 public:
  // Creates or opens the profile's namespace. A created one carries a mark of its tunnel; one that
  // exists is taken over with kCreate only when it has it (an earlier session left it). Errors:
  // kNetworkNamespace, kAccessDenied.
  Namespaces(const config::Netns& wanted, const std::string& tunnel);
  ~Namespaces();  // removes the name of a created one
  Namespaces(const Namespaces&) = delete;
  Namespaces& operator=(const Namespaces&) = delete;

  // Runs `work` where the interface lives, or where the socket lives.
  template <typename Work>
  auto at_interface(Work work) const {
    return at(inside_.get(), work);
  }
  template <typename Work>
  auto at_socket(Work work) const {
    return at(socket_inside_ ? inside_.get() : nullptr, work);
  }
  // Looks names up where the socket lives, on whatever thread; it keeps the namespace by itself.
  Resolver::Lookup lookup_at_socket() const;
  // A session follows that takes it over.
  void release() noexcept { created_.clear(); }
  // Interface and socket share a namespace.
  bool together() const noexcept { return !inside_ || socket_inside_; }

 private:
  // Null: the namespace the session was made in. A thread that is there does not enter it: that
  // needs CAP_SYS_ADMIN, which a tunnel without [netns] has not.
  template <typename Work>
  auto at(const os::Netns* netns, Work& work) const {
    if (netns == nullptr && os::Netns::current() == outside_) return work();
    const os::NetnsScope scope(netns == nullptr ? outside_ : *netns);
    return work();
  }

  const os::Netns outside_ = os::Netns::current();
  std::string created_;                      // empty: none
  std::shared_ptr<const os::Netns> inside_;  // shared with lookups under way
  bool socket_inside_ = false;
};

// A switch that IPv4 has on every interface, and that is on where a tunnel needs it. An interface
// where one switched it on carries a mark for each tunnel that needs it, an alternative name: the
// last one to leave switches it off again, and a mark that a crash left tells the tunnel's next
// start what to undo. Where it was on without a mark it stays on.
class InterfaceSwitch {
 public:
  struct Kind {
    std::string_view name;  // as in "forwarding on eth0"
    std::string_view mark;  // how the alternative names begin
    bool (*is_on)(os::NetlinkSocket& netlink, unsigned index);
    void (*set)(os::NetlinkSocket& netlink, unsigned index, bool on);
  };
  static const Kind kForwarding;
  static const Kind kSrcValidMark;  // rp_filter looks up the way back of marked packets with it

  // Switches on, or goes on with what an earlier run of this tunnel switched on, without a gap;
  // undoes what that left elsewhere. What was done is undone when not all could be. netlink: of the
  // interfaces' namespace; must outlive this. Errors: kFailed (no such interface), kAccessDenied.
  InterfaceSwitch(const Kind& kind, os::NetlinkSocket& netlink, std::string tunnel,
                  const std::vector<std::string>& interfaces);
  ~InterfaceSwitch();
  InterfaceSwitch(const InterfaceSwitch&) = delete;
  InterfaceSwitch& operator=(const InterfaceSwitch&) = delete;

  // Other interfaces than before: first those that are new, then those that are not wanted any more
  // are given up. Errors as the constructor's; nothing has changed then.
  void replace(const std::vector<std::string>& interfaces);
  // A session follows that takes it over.
  void release() noexcept { settings_.clear(); }
  // The interfaces where it is off after all.
  std::vector<std::string> off() const;

 private:
  struct Setting {
    std::string name;  // it had last; somebody may rename it
    unsigned index = 0;
    bool marked = false;
  };
  void switch_on(const std::string& name, unsigned index);
  void leave(const std::string& name, unsigned index) noexcept;
  void leave_from(std::size_t first) noexcept;  // of settings_
  bool is_marked(unsigned index) const;         // by any tunnel
  std::string mark(unsigned index) const;

  const Kind& kind_;
  os::NetlinkSocket& netlink_;
  std::string tunnel_;
  std::vector<Setting> settings_;
};

// IPv4 forwarding on interfaces.
class Forwarding : public InterfaceSwitch {
 public:
  Forwarding(os::NetlinkSocket& netlink, std::string tunnel,
             const std::vector<std::string>& interfaces)
      : InterfaceSwitch(kForwarding, netlink, std::move(tunnel), interfaces) {}
};

// Installs a table again where the interface lives, when somebody removed it or some of its rules.
// rules: as many as it should have. Returns why that cannot be looked after; empty: all are there.
std::string put_back(const Namespaces& namespaces, os::NftTable table, const std::string& tunnel,
                     std::size_t rules, const std::function<void()>& install) noexcept;

class Masquerade {
 public:
  // Installs, replacing what an earlier run of this tunnel left in one step, or takes that away. A
  // kernel that cannot is a failure() to be shown, other errors are thrown.
  Masquerade(const Namespaces& namespaces, std::string tunnel, unsigned interface, bool wanted);
  ~Masquerade();
  Masquerade(const Masquerade&) = delete;
  Masquerade& operator=(const Masquerade&) = delete;

  // Installs or takes away. Errors as the constructor's; nothing has changed then.
  void replace(bool wanted);
  // Puts back what somebody took away. Never throws; what fails is in failure().
  void look() noexcept;
  // A session follows that takes it over.
  void release() noexcept { rules_ = 0; }
  bool installed() const noexcept { return rules_ != 0 && failure_.empty(); }
  const std::string& failure() const noexcept { return failure_; }

 private:
  const Namespaces& namespaces_;
  std::string tunnel_;
  unsigned interface_;     // its index
  std::size_t rules_ = 0;  // of the table; 0: it is not ours to look after
  std::string failure_;
};

// What an earlier run of the tunnel left in a namespace that is not wanted any longer: forwarding,
// masquerading, the namespace itself where that run made it. Never throws; what fails is logged.
void give_up_leftovers(const os::Netns& netns, const std::string& tunnel) noexcept;

}  // namespace vpntun::session

// Rules of policy routing (ip-rule(8)): which packets look into which routing table, in the
// namespace of the socket passed. Ours carry kRuleProtocol. Callers: session/. Thread: the
// socket's.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/address.h"
#include "os/netlink.h"

namespace vpntun::os {

// "Who made this rule", shown by `ip rule` as proto 117; the number of our routes too.
inline constexpr std::uint8_t kRuleProtocol = 117;

inline constexpr std::uint32_t kMainTable = 254;

struct Rule {
  enum class Action : std::uint8_t {
    kLookup,       // look into `table`; without a match there the next rule is asked
    kUnreachable,  // refused at once
    kOther,        // listed only: whatever else there is
  };

  Family family = Family::kIpv4;
  std::uint32_t priority = 0;  // the least is asked first
  std::uint32_t mark = 0;      // 0: for packets with any mark
  bool but_mark = false;       // for the packets that do not have this mark
  Action action = Action::kLookup;
  std::uint32_t table = 0;  // with kLookup
  // Routes with a prefix of at most this length do not count.
  std::optional<std::uint32_t> suppress_prefix_length = {};
  std::uint8_t protocol = kRuleProtocol;
  bool operator==(const Rule&) const = default;
};

// Pure: an RTM_NEWRULE or RTM_DELRULE message; nullopt if it is malformed or of another family.
std::optional<Rule> parse_rule(const nlmsghdr& message);

// One that is there already stays. Errors: kAccessDenied, kNotSupported (the kernel has not this
// family).
void add_rule(NetlinkSocket& netlink, const Rule& rule);
// Returns whether there was one such.
bool remove_rule(NetlinkSocket& netlink, const Rule& rule);
// Both families, in their order. Selectors that Rule does not have are not seen.
std::vector<Rule> list_rules(NetlinkSocket& netlink);

}  // namespace vpntun::os

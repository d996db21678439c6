#include "session/policy_routing.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/log.h"
#include "os/link.h"
#include "os/route.h"
#include "os/sysctl.h"
#include "session/routing_mark.h"

namespace vpntun::session {

namespace {

// Before the rule of the main table (32766) and those of wg-quick (32764, 32765). The tunnel's own
// is asked second, and the second is added last.
constexpr std::uint32_t kMainPriority = 32700;
constexpr std::uint32_t kTunnelPriority = 32701;

constexpr unsigned kStrict = 1, kLoose = 2;  // rp_filter

void add_rules(std::vector<os::Rule>& rules, Family family, Unrouted unrouted, std::uint32_t mark) {
  if (unrouted == Unrouted::kAsTheHost) return;
  os::Rule main;
  main.family = family;
  main.priority = kMainPriority;
  main.mark = mark;
  main.but_mark = true;
  main.table = os::kMainTable;
  main.suppress_prefix_length = 0;
  os::Rule last = main;
  last.priority = kTunnelPriority;
  last.suppress_prefix_length.reset();
  last.action =
      unrouted == Unrouted::kTunnel ? os::Rule::Action::kLookup : os::Rule::Action::kUnreachable;
  last.table = unrouted == Unrouted::kTunnel ? mark : 0;
  rules.push_back(main);
  rules.push_back(last);
}

bool holds(const std::vector<os::Rule>& rules, const os::Rule& wanted) {
  return std::ranges::find(rules, wanted) != rules.end();
}

os::Route default_route(Family family, unsigned index, std::uint32_t table) {
  os::Route route;
  route.destination = {IpAddress::unspecified(family), 0};
  route.index = index;
  route.table = table;
  return route;
}

// Calls take(name) for the alternative names by which the interface claims a mark for the tunnel.
template <typename Take>
void for_each_claim(os::NetlinkSocket& netlink, unsigned index, const std::string& tunnel,
                    Take take) {
  const std::optional<os::Link> link = os::find_link(netlink, index);
  if (!link) return;
  for (const std::string& name : link->alternative_names)
    if (const auto claim = parse_claim(name); claim && claim->tunnel == tunnel) take(name);
}

void remove_reply_path(const std::string& tunnel) {
  try {
    if (os::table_installed(os::NftTable::kReplyPath, tunnel))
      os::remove_table(os::NftTable::kReplyPath, tunnel);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotSupported) throw;
  }
}

// 0 also for one without IPv4, or that is gone meanwhile.
unsigned rp_filter_of(os::NetlinkSocket& netlink, unsigned index) {
  try {
    return os::rp_filter_v4(netlink, index);
  } catch (const Error&) {
    return 0;
  }
}

}  // namespace

std::vector<os::Rule> rules_for(Unrouted unrouted_v4, Unrouted unrouted_v6, std::uint32_t mark) {
  std::vector<os::Rule> rules;
  add_rules(rules, Family::kIpv4, unrouted_v4, mark);
  add_rules(rules, Family::kIpv6, unrouted_v6, mark);
  return rules;
}

PolicyRouting::PolicyRouting(const Namespaces& namespaces, os::NetlinkSocket& netlink,
                             Tunnel tunnel, const HostConfig& wanted)
    : namespaces_(namespaces), netlink_(netlink), tunnel_(std::move(tunnel)) {
  try {
    replace(wanted);
  } catch (const Error&) {
    take_away();
    throw;
  }
}

PolicyRouting::~PolicyRouting() {
  if (!released_) take_away();
}

void PolicyRouting::release() noexcept {
  released_ = true;
  if (source_check_) source_check_->release();
}

bool PolicyRouting::is_active() const noexcept {
  return wanted_.unrouted_v4 != Unrouted::kAsTheHost || wanted_.unrouted_v6 != Unrouted::kAsTheHost;
}

// New before old. The rules come last, so that they lead to a table that is filled, and go first.
void PolicyRouting::replace(const HostConfig& wanted) {
  const std::vector<os::Rule> rules =
      rules_for(wanted.unrouted_v4, wanted.unrouted_v6, tunnel_.mark);
  refuse_second(rules);
  wanted_ = wanted;
  if (!is_active()) set_rules(rules);
  failure_.clear();
  set_claim(is_active());
  set_reply_path();
  set_source_check();
  set_routes();
  if (is_active()) set_rules(rules);
}

// Each would take the other's datagrams in.
void PolicyRouting::refuse_second(const std::vector<os::Rule>& wanted) const {
  if (wanted.empty()) return;
  std::vector<MarkClaim> others;
  for (const os::Link& link : os::list_links(netlink_))
    for (const std::string& name : link.alternative_names)
      if (const auto claim = parse_claim(name); claim && claim->tunnel != tunnel_.name)
        others.push_back(*claim);
  for (const os::Rule& rule : os::list_rules(netlink_)) {
    const auto owner = std::ranges::find(others, rule.mark, &MarkClaim::mark);
    const bool same_family =
        std::ranges::any_of(wanted, [&](const os::Rule& own) { return own.family == rule.family; });
    if (rule.protocol == os::kRuleProtocol && same_family && owner != others.end())
      throw Error(ErrorKind::kRouteConflict,
                  "the default route of {} is through the tunnel {} already",
                  rule.family == Family::kIpv4 ? "IPv4" : "IPv6", owner->tunnel);
  }
}

void PolicyRouting::set_claim(bool wanted) {
  const std::string name = name_of({tunnel_.mark, tunnel_.name});
  if (wanted) os::add_alternative_name(netlink_, tunnel_.index, name);
  for_each_claim(netlink_, tunnel_.index, tunnel_.name, [&](const std::string& other) {
    if (!wanted || other != name) os::remove_alternative_name(netlink_, tunnel_.index, other);
  });
}

void PolicyRouting::set_routes() {
  std::vector<os::Route> wanted;
  if (wanted_.unrouted_v4 == Unrouted::kTunnel)
    wanted.push_back(default_route(Family::kIpv4, tunnel_.index, tunnel_.mark));
  if (wanted_.unrouted_v6 == Unrouted::kTunnel)
    wanted.push_back(default_route(Family::kIpv6, tunnel_.index, tunnel_.mark));
  const auto is_same = [](const os::Route& one, const os::Route& other) {
    return one.destination == other.destination && one.table == other.table;
  };
  const auto is_in = [&](const std::vector<os::Route>& routes, const os::Route& route) {
    return std::ranges::any_of(routes, [&](const os::Route& r) { return is_same(r, route); });
  };
  const std::vector<os::Route> seen = os::list_routes_beside_main(netlink_, tunnel_.index);
  for (const os::Route& route : wanted)
    if (!is_in(seen, route)) os::add_route(netlink_, route);
  for (const os::Route& route : seen)
    if (route.protocol == os::kRouteProtocol && route.destination.length == 0 &&
        route.table != wanted_.table && !is_in(wanted, route))
      os::remove_route(netlink_, route);
}

void PolicyRouting::set_rules(const std::vector<os::Rule>& wanted) {
  const std::vector<os::Rule> seen = os::list_rules(netlink_);
  for (const os::Rule& rule : wanted) {
    if (holds(seen, rule)) continue;
    try {
      os::add_rule(netlink_, rule);
    } catch (const Error& error) {
      // Where the kernel has no such family there is nothing to refuse.
      const Unrouted unrouted =
          rule.family == Family::kIpv4 ? wanted_.unrouted_v4 : wanted_.unrouted_v6;
      if (error.kind() != ErrorKind::kNotSupported || unrouted != Unrouted::kRefused) throw;
    }
  }
  for (auto rule = seen.rbegin(); rule != seen.rend(); ++rule)
    if (rule->protocol == os::kRuleProtocol && rule->mark == tunnel_.mark && !holds(wanted, *rule))
      os::remove_rule(netlink_, *rule);
  sweep_rules(netlink_, {});
}

// Without nftables it is lacking where rp_filter is strict, and nowhere else.
void PolicyRouting::set_reply_path() {
  reply_path_failure_.clear();
  if (!is_active()) {
    namespaces_.at_interface([&] { remove_reply_path(tunnel_.name); });
    reply_path_.reset();
    return;
  }
  os::ReplyPath path{tunnel_.index, wanted_.addresses, tunnel_.port, tunnel_.mark};
  if (reply_path_ == path) return look_at_reply_path();
  try {
    reply_path_rules_ =
        namespaces_.at_interface([&] { return os::install_reply_path(tunnel_.name, path); });
    reply_path_ = std::move(path);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotSupported) throw;
    reply_path_.reset();
    if (!interfaces_that_check().empty()) failure_ = error.what();
  }
}

// ip-sysctl: conf/all and the interface's own rp_filter, the larger holds; src_valid_mark holds
// when one of both is on.
std::vector<std::string> PolicyRouting::interfaces_that_check() const {
  if (wanted_.unrouted_v4 == Unrouted::kAsTheHost) return {};
  unsigned all = 0;
  bool marks = false;
  namespaces_.at_interface([&] {
    all = os::rp_filter_all();
    marks = os::read_sysctl("ipv4/conf/all/src_valid_mark").value_or(0) != 0;
  });
  std::vector<std::string> names;
  if (marks) return names;
  for (const os::Link& link : os::list_links(netlink_)) {
    if (link.loopback || link.index == tunnel_.index) continue;
    const unsigned filter = std::max(all, rp_filter_of(netlink_, link.index));
    // Loose: any way back will do, but where IPv4 is refused there is none.
    if (filter == kStrict || (filter == kLoose && wanted_.unrouted_v4 == Unrouted::kRefused))
      names.push_back(link.name);
  }
  return names;
}

void PolicyRouting::set_source_check() {
  std::vector<std::string> names;
  try {
    names = interfaces_that_check();
    if (source_check_)
      source_check_->replace(names);
    else
      source_check_.emplace(InterfaceSwitch::kSrcValidMark, netlink_, tunnel_.name, names);
  } catch (const Error& error) {
    failure_ = fmt::format(
        "answers of peers are lost to the strict reverse path filter of {} ({}); set "
        "net.ipv4.conf.all.src_valid_mark=1 (sysctl)",
        names.empty() ? "an interface" : fmt::format("{}", fmt::join(names, ", ")), error.what());
  }
}

void PolicyRouting::look() noexcept {
  if (!is_active()) return;
  try {
    const std::vector<os::Rule> rules =
        rules_for(wanted_.unrouted_v4, wanted_.unrouted_v6, tunnel_.mark);
    const std::vector<os::Rule> seen = os::list_rules(netlink_);
    const bool gone =
        !std::ranges::all_of(rules, [&](const os::Rule& rule) { return holds(seen, rule); });
    failure_.clear();
    set_reply_path();
    set_source_check();
    set_routes();
    if (!gone) return;
    set_rules(rules);
    log::warning("somebody removed the routing rules of the default route; they are put back");
  } catch (const std::exception& error) {
    failure_ = fmt::format("the default route is not what it should be: {}", error.what());
  }
}

void PolicyRouting::look_at_reply_path() noexcept {
  if (!reply_path_) return;
  reply_path_failure_ =
      put_back(namespaces_, os::NftTable::kReplyPath, tunnel_.name, reply_path_rules_,
               [this] { os::install_reply_path(tunnel_.name, *reply_path_); });
}

void PolicyRouting::take_away() noexcept {
  try {
    wanted_.unrouted_v4 = wanted_.unrouted_v6 = Unrouted::kAsTheHost;
    set_rules({});
    set_routes();
    set_reply_path();
    set_claim(false);
  } catch (const std::exception& error) {
    log::warning("give up the default route: {}", error.what());
  }
  source_check_.reset();
}

void give_up_policy_routing(os::NetlinkSocket& netlink, const std::string& tunnel) {
  const InterfaceSwitch none(InterfaceSwitch::kSrcValidMark, netlink, tunnel, {});
  sweep_rules(netlink, tunnel);
  remove_reply_path(tunnel);
}

}  // namespace vpntun::session

#include "session/host_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/log.h"
#include "os/link.h"
#include "session/kill_switch.h"
#include "session/policy_routing.h"

namespace vpntun::session {

namespace {

bool has_name(const os::Link& link, const std::string& name) {
  const std::vector<std::string>& names = link.alternative_names;
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_any_of(const os::Link& link, const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return name == link.name || has_name(link, name);
  });
}

// On the loopback interface of a namespace that a tunnel made.
std::string netns_mark(const std::string& tunnel) {
  return "vpntun-netns-" + tunnel;
}

bool is_made_by(const os::Netns& netns, const std::string& tunnel) {
  const os::NetnsScope scope(netns);
  os::NetlinkSocket netlink;
  return has_name(os::get_link(netlink, "lo"), netns_mark(tunnel));
}

void prepare_loopback(const os::Netns& netns, const std::string& tunnel) {
  const os::NetnsScope scope(netns);
  os::NetlinkSocket netlink;
  const unsigned loopback = os::get_link(netlink, "lo").index;
  os::add_alternative_name(netlink, loopback, netns_mark(tunnel));
  os::set_link_up(netlink, loopback, true);
}

os::Netns create_or_take_over(const std::string& name, const std::string& tunnel) {
  if (!os::netns_exists(name)) return os::Netns::create(name);
  os::Netns left_over = os::Netns::open(name);
  if (!is_made_by(left_over, tunnel))
    throw Error(ErrorKind::kNetworkNamespace,
                "the network namespace {} exists already, and is not of this tunnel; join it "
                "(netns mode = \"join\") or choose another name",
                name);
  log::info("network namespace {} is taken over", name);
  return left_over;
}

}  // namespace

Namespaces::Namespaces(const config::Netns& wanted, const std::string& tunnel)
    : socket_inside_(wanted.socket == config::Netns::Socket::kInside) {
  switch (wanted.mode) {
    case config::Netns::Mode::kNone:
      break;
    case config::Netns::Mode::kJoin:
      inside_ = std::make_shared<const os::Netns>(os::Netns::open(wanted.name));
      break;
    case config::Netns::Mode::kCreate:
      inside_ = std::make_shared<const os::Netns>(create_or_take_over(wanted.name, tunnel));
      created_ = wanted.name;
      try {
        prepare_loopback(*inside_, tunnel);
      } catch (const Error&) {
        os::remove_netns(created_);
        throw;
      }
      break;
  }
}

Namespaces::~Namespaces() {
  if (created_.empty()) return;
  try {
    os::remove_netns(created_);
  } catch (const Error& error) {
    log::warning("{}", error.what());
  }
}

Resolver::Lookup Namespaces::lookup_at_socket() const {
  if (!inside_ || !socket_inside_) return Resolver::system_lookup;
  return [netns = inside_](const std::string& host, std::uint16_t port) -> NameAnswer {
    try {
      const os::NetnsScope scope(*netns);
      return Resolver::system_lookup(host, port);
    } catch (const Error& error) {
      return {{}, error.what()};
    }
  };
}

const InterfaceSwitch::Kind InterfaceSwitch::kForwarding = {
    "forwarding", "vpntun-forwarding-", os::forwarding_v4, os::set_forwarding_v4};
const InterfaceSwitch::Kind InterfaceSwitch::kSrcValidMark = {
    "src_valid_mark", "vpntun-src-valid-mark-", os::src_valid_mark_v4, os::set_src_valid_mark_v4};

InterfaceSwitch::InterfaceSwitch(const Kind& kind, os::NetlinkSocket& netlink, std::string tunnel,
                                 const std::vector<std::string>& interfaces)
    : kind_(kind), netlink_(netlink), tunnel_(std::move(tunnel)) {
  for (const os::Link& link : os::list_links(netlink_)) {
    if (!has_name(link, mark(link.index)) || is_any_of(link, interfaces)) continue;
    log::notice("{} on {}, of an earlier run, is given up", kind_.name, link.name);
    leave(link.name, link.index);
  }
  replace(interfaces);
}

InterfaceSwitch::~InterfaceSwitch() {
  leave_from(0);
}

void InterfaceSwitch::replace(const std::vector<std::string>& interfaces) {
  const std::size_t before = settings_.size();
  std::vector<unsigned> wanted;
  try {
    for (const std::string& name : interfaces) {
      wanted.push_back(os::get_link(netlink_, name).index);
      const auto held = std::ranges::find(settings_, wanted.back(), &Setting::index);
      if (held == settings_.end())
        switch_on(name, wanted.back());
      else
        held->name = name;
    }
  } catch (const Error&) {
    leave_from(before);
    throw;
  }
  const auto stay =
      std::stable_partition(settings_.begin(), settings_.end(), [&](const Setting& setting) {
        return std::ranges::find(wanted, setting.index) != wanted.end();
      });
  leave_from(static_cast<std::size_t>(stay - settings_.begin()));
}

// A mark is there before forwarding is on, and looked for after: on without a mark is not ours.
void InterfaceSwitch::switch_on(const std::string& name, unsigned index) {
  const bool on = kind_.is_on(netlink_, index);
  const bool marked = !on || is_marked(index);
  settings_.push_back({name, index, marked});
  if (!marked) return;
  os::add_alternative_name(netlink_, index, mark(index));
  kind_.set(netlink_, index, true);
}

void InterfaceSwitch::leave(const std::string& name, unsigned index) noexcept {
  try {
    if (!os::find_link(netlink_, index)) return;
    os::remove_alternative_name(netlink_, index, mark(index));
    if (is_marked(index)) return;
    kind_.set(netlink_, index, false);
    // Another tunnel may have come in between, and found it on.
    if (is_marked(index)) kind_.set(netlink_, index, true);
  } catch (const std::exception& error) {
    log::warning("give up {} on {}: {}", kind_.name, name, error.what());
  }
}

void InterfaceSwitch::leave_from(std::size_t first) noexcept {
  for (; settings_.size() > first; settings_.pop_back())
    if (settings_.back().marked) leave(settings_.back().name, settings_.back().index);
}

bool InterfaceSwitch::is_marked(unsigned index) const {
  const os::Link link = os::get_link(netlink_, index);
  return std::any_of(link.alternative_names.begin(), link.alternative_names.end(),
                     [&](const std::string& name) { return name.starts_with(kind_.mark); });
}

// A name belongs to one interface only, so it has the index in it.
std::string InterfaceSwitch::mark(unsigned index) const {
  return fmt::format("{}{}-{}", kind_.mark, index, tunnel_);
}

std::vector<std::string> InterfaceSwitch::off() const {
  std::vector<std::string> names;
  for (const Setting& setting : settings_)
    if (!os::find_link(netlink_, setting.index) || !kind_.is_on(netlink_, setting.index))
      names.push_back(setting.name);
  return names;
}

std::string put_back(const Namespaces& namespaces, os::NftTable table, const std::string& tunnel,
                     std::size_t rules, const std::function<void()>& install) noexcept {
  try {
    namespaces.at_interface([&] {
      if (os::rules_in_table(table, tunnel) >= rules) return;
      install();
      log::warning("somebody removed the nftables table {}, or rules of it; they are put back",
                   os::table_name(table, tunnel));
    });
    return {};
  } catch (const std::exception& error) {
    return error.what();
  }
}

Masquerade::Masquerade(const Namespaces& namespaces, std::string tunnel, unsigned interface,
                       bool wanted)
    : namespaces_(namespaces), tunnel_(std::move(tunnel)), interface_(interface) {
  replace(wanted);
}

void Masquerade::replace(bool wanted) {
  try {
    namespaces_.at_interface([&] {
      if (wanted) {
        rules_ = os::install_masquerade(tunnel_, interface_);
        return;
      }
      if (os::remove_table(os::NftTable::kMasquerade, tunnel_) && rules_ == 0)
        log::notice("masquerading of an earlier run removed");
      rules_ = 0;
    });
    failure_.clear();
  } catch (const Error& error) {
    if (wanted && error.kind() != ErrorKind::kNotSupported) throw;
    failure_ = wanted ? error.what() : "";
  }
}

void Masquerade::look() noexcept {
  if (rules_ == 0) return;
  failure_ = put_back(namespaces_, os::NftTable::kMasquerade, tunnel_, rules_,
                      [this] { os::install_masquerade(tunnel_, interface_); });
}

Masquerade::~Masquerade() {
  if (rules_ == 0) return;
  try {
    namespaces_.at_interface([&] { return os::remove_table(os::NftTable::kMasquerade, tunnel_); });
  } catch (const Error& error) {
    log::warning("{}", error.what());
  }
}

namespace {

void give_up_here(const std::string& tunnel) {
  os::NetlinkSocket netlink;
  const Forwarding none(netlink, tunnel, {});
  give_up_policy_routing(netlink, tunnel);
  tell_kill_switch_stays(tunnel);
  try {
    os::remove_table(os::NftTable::kMasquerade, tunnel);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotSupported) throw;
  }
}

}  // namespace

void give_up_leftovers(const os::Netns& netns, const std::string& tunnel) noexcept {
  try {
    // Entering the namespace we are in would need CAP_SYS_ADMIN, and that one nobody made for us.
    if (netns == os::Netns::current()) return give_up_here(tunnel);
    if (!is_made_by(netns, tunnel)) {
      const os::NetnsScope scope(netns);
      return give_up_here(tunnel);
    }
    for (const std::string& name : os::list_netns())
      if (os::netns_exists(name) && os::Netns::open(name) == netns) os::remove_netns(name);
  } catch (const std::exception& error) {
    log::warning("give up what an earlier session left: {}", error.what());
  }
}

}  // namespace vpntun::session

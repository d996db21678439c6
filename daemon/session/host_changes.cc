#include "session/host_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/log.h"
#include "os/link.h"
#include "os/nft.h"

namespace vpntun::session {

namespace {

constexpr std::string_view kForwardingMark = "vpntun-forwarding-";

bool has_name(const os::Link& link, const std::string& name) {
  const std::vector<std::string>& names = link.alternative_names;
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A new namespace has lo, and on some kernels fallback devices (sit0, tunl0, ...).
std::vector<std::string> link_names(const os::Netns& netns) {
  const os::NetnsScope scope(netns);
  os::NetlinkSocket netlink;
  std::vector<std::string> names;
  for (const os::Link& link : os::list_links(netlink)) names.push_back(link.name);
  std::sort(names.begin(), names.end());
  return names;
}

os::Netns create_or_take_over(const std::string& name) {
  if (os::netns_exists(name)) {
    os::Netns left_over = os::Netns::open(name);
    if (link_names(left_over) != link_names(os::Netns::create_anonymous()))
      throw Error(ErrorKind::kNetworkNamespace,
                  "the network namespace {} exists already and is in use; join it "
                  "(netns mode = \"join\") or choose another name",
                  name);
    log::notice("network namespace {} was left over and is taken over", name);
    return left_over;
  }
  return os::Netns::create(name);
}

void set_loopback_up(const os::Netns& netns) {
  const os::NetnsScope scope(netns);
  os::NetlinkSocket netlink;
  os::set_link_up(netlink, os::get_link(netlink, "lo").index, true);
}

}  // namespace

Namespaces::Namespaces(const config::Netns& wanted)
    : socket_inside_(wanted.socket == config::Netns::Socket::kInside) {
  switch (wanted.mode) {
    case config::Netns::Mode::kNone:
      break;
    case config::Netns::Mode::kJoin:
      inside_ = std::make_shared<const os::Netns>(os::Netns::open(wanted.name));
      break;
    case config::Netns::Mode::kCreate:
      inside_ = std::make_shared<const os::Netns>(create_or_take_over(wanted.name));
      created_ = wanted.name;
      try {
        set_loopback_up(*inside_);
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

Forwarding::Forwarding(os::NetlinkSocket& netlink, std::string tunnel,
                       const std::vector<std::string>& interfaces)
    : netlink_(netlink), tunnel_(std::move(tunnel)) {
  for (const os::Link& link : os::list_links(netlink_)) {
    if (!has_name(link, mark(link.index))) continue;
    log::notice("forwarding on {}, of an earlier run, is given up", link.name);
    leave(link.name, link.index);
  }
  try {
    for (const std::string& name : interfaces) switch_on(name);
  } catch (const Error&) {
    leave_all();
    throw;
  }
}

Forwarding::~Forwarding() {
  leave_all();
}

// A mark is there before forwarding is on, and looked for after: on without a mark is not ours.
void Forwarding::switch_on(const std::string& name) {
  const unsigned index = os::get_link(netlink_, name).index;
  const bool on = os::forwarding_v4(netlink_, index);
  const bool marked = !on || is_marked(index);
  settings_.push_back({name, index, marked});
  if (!marked) return;
  os::add_alternative_name(netlink_, index, mark(index));
  os::set_forwarding_v4(netlink_, index, true);
}

void Forwarding::leave(const std::string& name, unsigned index) noexcept {
  try {
    if (!os::find_link(netlink_, index)) return;
    os::remove_alternative_name(netlink_, index, mark(index));
    if (is_marked(index)) return;
    os::set_forwarding_v4(netlink_, index, false);
    // Another tunnel may have come in between, and found it on.
    if (is_marked(index)) os::set_forwarding_v4(netlink_, index, true);
  } catch (const std::exception& error) {
    log::warning("give up forwarding on {}: {}", name, error.what());
  }
}

void Forwarding::leave_all() noexcept {
  for (const Setting& setting : settings_)
    if (setting.marked) leave(setting.name, setting.index);
}

bool Forwarding::is_marked(unsigned index) const {
  const os::Link link = os::get_link(netlink_, index);
  return std::any_of(link.alternative_names.begin(), link.alternative_names.end(),
                     [](const std::string& name) { return name.starts_with(kForwardingMark); });
}

// A name belongs to one interface only, so it has the index in it.
std::string Forwarding::mark(unsigned index) const {
  return fmt::format("{}{}-{}", kForwardingMark, index, tunnel_);
}

std::vector<std::string> Forwarding::off() const {
  std::vector<std::string> names;
  for (const Setting& setting : settings_)
    if (!os::find_link(netlink_, setting.index) || !os::forwarding_v4(netlink_, setting.index))
      names.push_back(setting.name);
  return names;
}

Masquerade::Masquerade(const Namespaces& namespaces, std::string tunnel,
                       const std::string& interface, bool wanted)
    : namespaces_(namespaces), tunnel_(std::move(tunnel)) {
  try {
    namespaces_.at_interface([&] {
      if (wanted) return os::install_masquerade(tunnel_, interface);
      if (os::remove_masquerade(tunnel_)) log::notice("masquerading of an earlier run removed");
    });
    installed_ = wanted;
  } catch (const Error& error) {
    if (wanted && error.kind() != ErrorKind::kNotSupported) throw;
    if (wanted) failure_ = error.what();
  }
}

Masquerade::~Masquerade() {
  if (!installed_) return;
  try {
    namespaces_.at_interface([&] { return os::remove_masquerade(tunnel_); });
  } catch (const Error& error) {
    log::warning("{}", error.what());
  }
}

}  // namespace vpntun::session

#include "session/host_changes.h"

#include <algorithm>

#include "base/log.h"
#include "os/link.h"
#include "os/nft.h"

namespace vpntun::session {

namespace {

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
      inside_ = os::Netns::open(wanted.name);
      break;
    case config::Netns::Mode::kCreate:
      inside_ = create_or_take_over(wanted.name);
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

Forwarding::Forwarding(os::NetlinkSocket& netlink, const std::vector<std::string>& interfaces)
    : netlink_(netlink) {
  try {
    for (const std::string& name : interfaces) {
      const unsigned index = os::get_link(netlink, name).index;
      settings_.push_back({name, index, os::forwarding_v4(netlink, index)});
      if (!settings_.back().before) os::set_forwarding_v4(netlink, index, true);
    }
  } catch (const Error&) {
    restore();
    throw;
  }
}

Forwarding::~Forwarding() {
  restore();
}

void Forwarding::restore() noexcept {
  for (const Setting& setting : settings_) {
    if (setting.before) continue;
    try {
      if (os::find_link(netlink_, setting.index))
        os::set_forwarding_v4(netlink_, setting.index, false);
    } catch (const std::exception& error) {
      log::warning("{}", error.what());
    }
  }
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

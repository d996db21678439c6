#include "session/kill_switch.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace vpntun::session {

namespace {

constexpr os::NftTable kTable = os::NftTable::kKillSwitch;

}  // namespace

os::KillSwitchRules kill_switch_rules(const HostConfig& wanted, std::uint32_t mark) {
  os::KillSwitchRules rules;
  rules.mark = mark;
  rules.lan = wanted.kill_switch_allows_lan;
  for (const IpPrefix& address : wanted.addresses)
    if (std::ranges::find(rules.inside, address.network()) == rules.inside.end() &&
        !address.address.is_link_local())
      rules.inside.push_back(address.network());
  return rules;
}

KillSwitch::KillSwitch(const Namespaces& namespaces, std::string tunnel, std::uint32_t mark,
                       const HostConfig& wanted)
    : namespaces_(namespaces), tunnel_(std::move(tunnel)), mark_(mark) {
  try {
    found_ = is_installed();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotSupported || wanted.kill_switch != config::KillSwitch::kOff)
      throw;
    return;  // there is none, and none is wanted
  }
  if (found_ && wanted.kill_switch == config::KillSwitch::kOff) {
    remove();
    found_ = false;
    log::notice("the kill switch of an earlier run is removed, as the profile says");
  }
  replace(wanted);
}

KillSwitch::~KillSwitch() {
  if (released_ || found_ || mode_ == config::KillSwitch::kOff) return;
  if (mode_ == config::KillSwitch::kAlways) {
    namespaces_.at_interface([&] { tell_kill_switch_stays(tunnel_); });
    return;
  }
  try {
    remove();
  } catch (const std::exception& error) {
    log::warning("{}", error.what());
  }
}

void KillSwitch::replace(const HostConfig& wanted) {
  const os::KillSwitchRules rules = kill_switch_rules(wanted, mark_);
  const bool was = mode_ != config::KillSwitch::kOff;
  const bool is = wanted.kill_switch != config::KillSwitch::kOff;
  const os::KillSwitchRules before = std::exchange(rules_, rules);
  try {
    if (is && (!was || rules != before)) install();
    if (was && !is) remove();
  } catch (const Error&) {
    rules_ = before;
    throw;
  }
  mode_ = wanted.kill_switch;
  failure_.clear();
}

void KillSwitch::look() noexcept {
  if (mode_ == config::KillSwitch::kOff) return;
  failure_ = put_back(namespaces_, kTable, tunnel_, installed_,
                      [this] { os::install_kill_switch(tunnel_, rules_); });
}

bool KillSwitch::is_installed() const {
  return namespaces_.at_interface([&] { return os::table_installed(kTable, tunnel_); });
}

void KillSwitch::install() {
  installed_ = namespaces_.at_interface([&] { return os::install_kill_switch(tunnel_, rules_); });
}

void KillSwitch::remove() const {
  namespaces_.at_interface([&] { os::remove_table(kTable, tunnel_); });
}

void tell_kill_switch_stays(const std::string& tunnel) noexcept {
  try {
    if (os::table_installed(kTable, tunnel))
      log::notice(
          "the kill switch stays: nothing leaves this host past the tunnel, until it is started "
          "with kill-switch.mode = \"off\" or somebody runs `nft delete table inet {}`",
          os::table_name(kTable, tunnel));
  } catch (const std::exception& error) {
    log::warning("{}", error.what());
  }
}

}  // namespace vpntun::session

// Tells systemd-resolved which DNS servers and domains belong to the tunnel's interface
// (org.freedesktop.resolve1(5)), and again whenever it appears on the bus. Asks and never waits:
// the outcome comes later, as a sentence. Called by the session daemon. Thread: control.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bus/connection.h"
#include "config/profile.h"
#include "dbus/sdbus.h"
#include "service/loop.h"

namespace vpntun::bus {

// The arguments of SetLinkDNS, SetLinkDomains and SetLinkDefaultRoute.
struct LinkDns {
  std::vector<sdbus::Struct<std::int32_t, std::vector<std::uint8_t>>> servers;
  std::vector<sdbus::Struct<std::string, bool>> domains;
  bool default_route = false;  // for names that belong to no interface's domains
};
LinkDns link_dns_of(const config::Dns& dns);

// Why names are not asked at the tunnel's servers and what to do about it, from an error reply.
std::string dns_failure_of(const config::Dns& dns, const std::string& error_name,
                           const std::string& message);

class Resolved {
 public:
  // failure: empty when resolved knows all that is wanted.
  using Told = std::function<void(const std::string& failure)>;

  // may_know: an earlier session may have told it about the interface. Blocks on the bus, so only
  // before the loop runs.
  Resolved(Connection& connection, service::Loop& loop, unsigned interface_index, bool may_know,
           Told told);
  Resolved(const Resolved&) = delete;
  Resolved& operator=(const Resolved&) = delete;

  // Asks for it when it is not what is asked for already; nothing wanted takes back what was told.
  void want(const config::Dns& dns);
  // Takes back what was told.
  void revert();

 private:
  template <typename... Arguments>
  void call(const char* method, const Arguments&... arguments);
  void tell();
  void replied(unsigned round, const std::optional<sdbus::Error>& error);
  void failed(const std::string& error_name, const std::string& message);
  void owner_changed(const std::string& owner);

  service::Loop& loop_;
  std::int32_t index_;
  Told told_;
  std::unique_ptr<sdbus::IProxy> resolved_;
  std::optional<config::Dns> wanted_;  // none before the first want()
  unsigned round_ = 0;                 // replies of earlier rounds say nothing any more
  unsigned missing_ = 0;               // replies of this round
  unsigned unknown_ = 0;  // rounds in a row in which resolved did not know the interface yet
  bool known_;            // resolved may hold something that was told
  service::EventSource retry_;
  sdbus::Slot owner_changed_;
};

}  // namespace vpntun::bus

#include "bus/resolved.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "bus/errors.h"

namespace vpntun::bus {

namespace {

const sdbus::ServiceName kResolved("org.freedesktop.resolve1");
const sdbus::ObjectPath kPath("/org/freedesktop/resolve1");
constexpr const char* kManager = "org.freedesktop.resolve1.Manager";
constexpr const char* kNoSuchLink = "org.freedesktop.resolve1.NoSuchLink";
constexpr std::chrono::seconds kAnswersWithin{25};
constexpr Duration kRetry = std::chrono::seconds(30);
// resolved hears of a new interface by netlink, as we do, but perhaps later.
constexpr Duration kUnknownRetry = std::chrono::milliseconds(200);
constexpr unsigned kUnknownRounds = 15;

// Address families of Linux, as resolved wants them.
constexpr std::int32_t kInet = 2;
constexpr std::int32_t kInet6 = 10;

bool is_absent(const std::string& error_name) {
  // Of the bus, or of systemd, which was to start it.
  return error_name == "org.freedesktop.DBus.Error.ServiceUnknown" ||
         error_name == "org.freedesktop.DBus.Error.NameHasNoOwner" ||
         error_name.starts_with("org.freedesktop.DBus.Error.Spawn.") ||
         error_name.starts_with("org.freedesktop.systemd1.");
}

std::string subject_of(const config::Dns& dns) {
  std::vector<std::string> servers, domains;
  for (const IpAddress& server : dns.servers) servers.push_back(server.to_string());
  for (const config::DnsDomain& domain : dns.domains)
    if (domain.name != ".") domains.push_back(domain.name);
  const bool all = domains.empty() || domains.size() < dns.domains.size();
  return fmt::format("{} are not asked at {}",
                     all ? "names" : fmt::format("names of {}", fmt::join(domains, ", ")),
                     fmt::join(servers, ", "));
}

}  // namespace

LinkDns link_dns_of(const config::Dns& dns) {
  LinkDns link;
  for (const IpAddress& server : dns.servers) {
    const auto bytes = server.bytes();
    link.servers.emplace_back(server.is_v4() ? kInet : kInet6,
                              std::vector<std::uint8_t>(bytes.begin(), bytes.end()));
  }
  for (const config::DnsDomain& domain : dns.domains)
    link.domains.emplace_back(domain.name, domain.route_only);
  const bool every_name = std::ranges::any_of(
      dns.domains, [](const config::DnsDomain& domain) { return domain.name == "."; });
  link.default_route = dns.domains.empty() || every_name;
  return link;
}

std::string dns_failure_of(const config::Dns& dns, const std::string& error_name,
                           const std::string& message) {
  const std::string subject = subject_of(dns);
  if (is_absent(error_name))
    return fmt::format(
        "systemd-resolved does not run, so {}; start it (systemctl enable --now systemd-resolved) "
        "or remove [interface.dns]",
        subject);
  if (error_name == "org.freedesktop.DBus.Error.AccessDenied" ||
      error_name == "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired")
    return fmt::format(
        "systemd-resolved refuses ({}), so {}; a rule of polkit must allow the user of this "
        "session the actions org.freedesktop.resolve1.* (without polkit only root may)",
        escaped(message), subject);
  if (error_name == "org.freedesktop.resolve1.LinkBusy")
    return fmt::format(
        "systemd-resolved refuses ({}), so {}; set Unmanaged=yes for the interface in a .network "
        "file of systemd-networkd",
        escaped(message), subject);
  return fmt::format("systemd-resolved did not take it ({}), so {}; tried again every 30 s",
                     escaped(message), subject);
}

Resolved::Resolved(Connection& connection, service::Loop& loop, unsigned interface_index,
                   bool may_know, Told told)
    : loop_(loop),
      index_(static_cast<std::int32_t>(interface_index)),
      told_(std::move(told)),
      resolved_(sdbus::createProxy(connection.sdbus(), kResolved, kPath)),
      known_(may_know),
      owner_changed_(connection.follow_owners(
          "arg0='org.freedesktop.resolve1'",
          [this](const std::string&, const std::string& owner) { owner_changed(owner); })) {}

void Resolved::want(const config::Dns& dns) {
  if (dns == wanted_) return;
  wanted_ = dns;
  unknown_ = 0;
  if (!dns.servers.empty()) return tell();
  revert();
  told_("");
}

void Resolved::revert() {
  ++round_;
  retry_ = {};
  if (std::exchange(known_, false))
    resolved_->callMethod("RevertLink")
        .onInterface(kManager)
        .withArguments(index_)
        .dontExpectReply();
}

template <typename... Arguments>
void Resolved::call(const char* method, const Arguments&... arguments) {
  ++missing_;
  auto replied = [this, round = round_](const std::optional<sdbus::Error>& error) {
    this->replied(round, error);
  };
  resolved_->callMethodAsync(method)
      .onInterface(kManager)
      .withTimeout(kAnswersWithin)
      .withArguments(index_, arguments...)
      .uponReplyInvoke(dbus::on_reply<>(shielded("tell systemd-resolved", std::move(replied))));
}

void Resolved::tell() {
  ++round_;
  missing_ = 0;
  retry_ = {};
  known_ = true;
  const LinkDns link = link_dns_of(*wanted_);
  call("SetLinkDNS", link.servers);
  call("SetLinkDomains", link.domains);
  call("SetLinkDefaultRoute", link.default_route);
}

void Resolved::replied(unsigned round, const std::optional<sdbus::Error>& error) {
  if (round != round_) return;
  if (error) {
    ++round_;  // the first refusal says it all
    return failed(error->getName(), error->getMessage());
  }
  if (--missing_ > 0) return;
  unknown_ = 0;
  log::event(log::Event::kDnsSet, {}, "systemd-resolved knows the tunnel's DNS servers");
  told_("");
}

void Resolved::failed(const std::string& error_name, const std::string& message) {
  if (is_absent(error_name)) known_ = false;
  const bool soon = error_name == kNoSuchLink && ++unknown_ <= kUnknownRounds;
  retry_ = loop_.add_timer(loop_.now() + (soon ? kUnknownRetry : kRetry), [this] { tell(); });
  if (!soon) told_(dns_failure_of(*wanted_, error_name, message));
}

void Resolved::owner_changed(const std::string& owner) {
  if (!wanted_ || wanted_->servers.empty()) return;
  unknown_ = 0;
  if (!owner.empty()) return tell();
  ++round_;
  failed("org.freedesktop.DBus.Error.NameHasNoOwner", "");
}

}  // namespace vpntun::bus

#include "bus/session_object.h"

#include <utility>

#include "base/log.h"
#include "bus/control.h"
#include "bus/errors.h"
#include "bus/reply.h"
#include "dbus/names.h"

namespace vpntun::bus {

SessionObject::SessionObject(Connection& connection, Authority& authority, StatusSource& status,
                             const Readiness& readiness, Reloader reload)
    : AdaptorInterfaces(connection.sdbus(), sdbus::ObjectPath(std::string(dbus::kSessionPath))),
      authority_(authority),
      status_(status),
      readiness_(readiness),
      reload_(std::move(reload)),
      shown_(shown()),
      peers_(connection, status) {
  registerAdaptor();
}

SessionObject::~SessionObject() {
  unregisterAdaptor();
}

SessionObject::Shown SessionObject::shown() {
  const session::Status& now = status_.now();
  Shown shown{now.profile_path,
              now.profile_time_usec,
              now.addresses,
              now.routes,
              now.dns_servers,
              now.dns_domains,
              now.public_key,
              readiness_.ready(),
              now.mtu,
              now.mtu_derivation,
              {},
              now.health,
              now.reason,
              now.offloads};
  for (const session::PeerStatus& peer : now.peers) shown.peers.push_back(peer.name);
  return shown;
}

// Health and reason go together, so that a watcher never pairs a health with another's reason; as
// does what a reload changed.
void SessionObject::session_changed() {
  peers_.session_changed();
  const Shown before = std::exchange(shown_, shown());
  std::vector<sdbus::PropertyName> changed;
  const auto compare = [&](const char* property, const auto& old, const auto& now) {
    if (old != now) changed.emplace_back(property);
  };
  compare("ProfilePath", before.profile_path, shown_.profile_path);
  compare("ProfileTimeUSec", before.profile_time_usec, shown_.profile_time_usec);
  compare("Addresses", before.addresses, shown_.addresses);
  compare("Routes", before.routes, shown_.routes);
  compare("DNSServers", before.dns_servers, shown_.dns_servers);
  compare("DNSDomains", before.dns_domains, shown_.dns_domains);
  compare("PublicKey", before.public_key, shown_.public_key);
  compare("Ready", before.ready, shown_.ready);
  compare("MTU", before.mtu, shown_.mtu);
  compare("MTUDerivation", before.mtu_derivation, shown_.mtu_derivation);
  compare("Offloads", before.offloads, shown_.offloads);
  compare("Peers", before.peers, shown_.peers);
  if (before.health != shown_.health || before.reason != shown_.reason)
    for (const char* property : {"Health", "ReasonCode", "ReasonText"})
      changed.emplace_back(property);
  if (!changed.empty()) getObject().emitPropertiesChangedSignal(INTERFACE_NAME, changed);
}

void SessionObject::Reload(sdbus::Result<Dictionary>&& result, Dictionary options) {
  guarded([&] {
    refuse_unknown_options(options, {});
    if_allowed("Reload", std::move(result), [this] { return to_dictionary(reload_()); });
  });
}

void SessionObject::if_allowed(std::string_view method, sdbus::Result<Dictionary>&& result,
                               std::function<Dictionary()> answer) {
  authority_.check(dbus::caller(getObject()), asked_of(INTERFACE_NAME, method), status_.now().name,
                   [reply = Reply(std::move(result)), answer = std::move(answer)](
                       const std::optional<sdbus::Error>& refused, std::uint32_t) {
                     if (refused) return reply.fail(*refused);
                     try {
                       reply(answer());
                     } catch (...) {
                       reply.fail(current_to_dbus());
                     }
                   });
}

void SessionObject::Status(sdbus::Result<Dictionary>&& result) {
  guarded([&] {
    if_allowed("Status", std::move(result), [this] { return to_dictionary(status_.now()); });
  });
}

std::string SessionObject::Name() {
  return escaped(status_.now().name);
}

std::string SessionObject::ProfilePath() {
  return escaped(status_.now().profile_path, 1000);
}

std::string SessionObject::Interface() {
  return escaped(status_.now().interface);
}

std::string SessionObject::NetworkNamespace() {
  return escaped(status_.now().netns);
}

std::string SessionObject::Kind() {
  return std::string(word_of(status_.now().kind));
}

std::string SessionObject::Encryption() {
  return std::string(word_of(status_.now().encryption));
}

std::string SessionObject::MTUDerivation() {
  return escaped(status_.now().mtu_derivation);
}

std::map<std::string, bool> SessionObject::Offloads() {
  std::map<std::string, bool> offloads;
  for (const packet::OffloadState& state : status_.now().offloads)
    offloads[std::string(to_string(state.kind))] = state.on();
  return offloads;
}

std::vector<sdbus::ObjectPath> SessionObject::Peers() {
  std::vector<sdbus::ObjectPath> paths;
  for (const session::PeerStatus& peer : status_.now().peers)
    paths.emplace_back(dbus::peer_path(peer.name));
  return paths;
}

std::string SessionObject::Health() {
  return std::string(to_string(status_.now().health));
}

std::string SessionObject::ReasonText() {
  return escaped(status_.now().reason.text, 1000);
}

std::map<std::string, std::uint64_t> SessionObject::Drops() {
  std::map<std::string, std::uint64_t> drops;
  for (const session::DropStatus& drop : status_.now().drops) drops[drop.reason] = drop.packets;
  return drops;
}

}  // namespace vpntun::bus

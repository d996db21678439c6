#include "bus/session_object.h"

#include "base/log.h"
#include "bus/errors.h"
#include "dbus/names.h"

namespace vpntun::bus {

SessionObject::SessionObject(Connection& connection, StatusSource& status)
    : AdaptorInterfaces(connection.sdbus(), std::string(dbus::kSessionPath)),
      status_(status),
      shown_health_(status.now().health),
      shown_reason_(status.now().reason) {
  registerAdaptor();
  for (std::size_t at = 0; at < status.now().peers.size(); ++at)
    peers_.push_back(std::make_unique<PeerObject>(connection, status, at));
}

SessionObject::~SessionObject() {
  unregisterAdaptor();
}

// The three go together, so that a watcher never pairs a health with another's reason.
void SessionObject::session_changed() {
  const session::Status& now = status_.again();
  if (now.health != shown_health_ || now.reason != shown_reason_) {
    shown_health_ = now.health;
    shown_reason_ = now.reason;
    getObject().emitPropertiesChangedSignal(INTERFACE_NAME, {"Health", "ReasonCode", "ReasonText"});
  }
  for (const auto& peer : peers_) peer->peer_changed();
}

Dictionary SessionObject::Status() {
  return guarded([&] { return to_dictionary(status_.now()); });
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

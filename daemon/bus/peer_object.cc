#include "bus/peer_object.h"

#include "base/log.h"
#include "bus/status_codec.h"
#include "dbus/names.h"

namespace vpntun::bus {

PeerObject::PeerObject(Connection& connection, StatusSource& status, std::size_t index)
    : AdaptorInterfaces(connection.sdbus(),
                        sdbus::ObjectPath(dbus::peer_path(status.now().peers.at(index).name))),
      status_(status),
      index_(index),
      shown_(status.now().peers.at(index)) {
  registerAdaptor();
}

PeerObject::~PeerObject() {
  unregisterAdaptor();
}

void PeerObject::peer_changed(std::size_t index) {
  index_ = index;
  const session::PeerStatus& current = now();
  std::vector<sdbus::PropertyName> changed;
  if (current.configured_endpoint != shown_.configured_endpoint)
    changed.emplace_back("ConfiguredEndpoint");
  if (current.allowed_ips != shown_.allowed_ips) changed.emplace_back("AllowedIPs");
  if (current.endpoint != shown_.endpoint) changed.emplace_back("Endpoint");
  if (current.endpoint_source != shown_.endpoint_source) changed.emplace_back("EndpointSource");
  if (current.public_key != shown_.public_key) changed.emplace_back("PublicKey");
  if (current.has_preshared_key != shown_.has_preshared_key)
    changed.emplace_back("HasPresharedKey");
  if (current.persistent_keepalive != shown_.persistent_keepalive)
    changed.emplace_back("PersistentKeepalive");
  if (current.state != shown_.state) changed.emplace_back("State");
  if (current.health != shown_.health) changed.emplace_back("Health");
  if (current.reason.code != shown_.reason.code) changed.emplace_back("ReasonCode");
  if (current.reason.text != shown_.reason.text) changed.emplace_back("ReasonText");
  shown_ = current;
  if (!changed.empty()) getObject().emitPropertiesChangedSignal(INTERFACE_NAME, changed);
}

std::string PeerObject::Name() {
  return escaped(now().name);
}

std::string PeerObject::ConfiguredEndpoint() {
  return escaped(now().configured_endpoint, 300);
}

std::vector<std::string> PeerObject::AllowedIPs() {
  std::vector<std::string> prefixes;
  for (const IpPrefix& prefix : now().allowed_ips) prefixes.push_back(prefix.to_string());
  return prefixes;
}

std::string PeerObject::Endpoint() {
  return now().endpoint ? now().endpoint->to_string() : "";
}

std::string PeerObject::EndpointSource() {
  return std::string(to_string(now().endpoint_source));
}

std::string PeerObject::Health() {
  return std::string(to_string(now().health));
}

std::string PeerObject::ReasonText() {
  return escaped(now().reason.text, 1000);
}

}  // namespace vpntun::bus

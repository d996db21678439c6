// Status as D-Bus a{sv} and as JSON: the keys of both are the same, docs/dbus.md lists them. Called
// by Control and by the session's objects. Pure.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "dbus/sdbus.h"
#include "manager/tunnel.h"
#include "session/session.h"
#include "session/status.h"

namespace vpntun::bus {

using Dictionary = std::map<std::string, sdbus::Variant>;

// The value under a key; an empty one when there is none, or of another type.
template <typename Value>
Value get(const Dictionary& properties, const std::string& key) {
  const auto at = properties.find(key);
  if (at == properties.end() || !at->second.containsValueOfType<Value>()) return {};
  return at->second.get<Value>();
}

// What a session knows about itself.
Dictionary to_dictionary(const session::Status& status);
// applied, needs-restart, unchanged.
Dictionary to_dictionary(const session::ReloadResult& result);
// What the manager knows, with the session's part where there is one (nullptr: it did not answer).
Dictionary merged(const manager::Tunnel& tunnel, const Dictionary* of_session);
// The same without what tells where peers are and, by their public keys, who: for who may not know.
Dictionary without_details(Dictionary status);
// {"schema":"vpnctl.status/1","generated":"2026-01-31T12:00:00Z","tunnels":[...]}
std::string to_json(const std::vector<Dictionary>& tunnels,
                    std::chrono::system_clock::time_point now);

}  // namespace vpntun::bus

// The difference of two profiles of one tunnel, key by key: what a reload has to apply, and what it
// leaves to a restart. Called by session/. Pure.
#pragma once

#include <string>
#include <vector>

#include "config/keys.h"
#include "config/profile.h"

namespace vpntun::config {

struct Change {
  // As findings write it, peers by name: "interface.mtu", "peer[server].allowed-ips". A peer that
  // came or went is "peer[server]".
  std::string key;
  OnReload on_reload = OnReload::kRestart;
  bool operator==(const Change&) const = default;
};

// In the order of docs/profile.md. The order of peers and path and name of the file are no keys. A
// profile of another kind, encryption or namespace describes another tunnel, whose other keys may
// mean something else: then all of it needs the restart.
std::vector<Change> changes(const Profile& before, const Profile& after);

// The profile that runs after a reload: live keys as in `after`, the others as in `before`.
Profile merged(const Profile& before, const Profile& after);

// What a reload did, for people: "lab: applied interface.mtu; needs a restart: interface.name
// (vpnctl restart lab)".
std::string reload_text(const std::string& tunnel, const std::vector<std::string>& applied,
                        const std::vector<std::string>& needs_restart);

}  // namespace vpntun::config

// A profile as TOML text: what somebody would write who wanted it. Called by vpnctl. Pure.
#pragma once

#include <map>
#include <string>

#include "config/profile.h"

namespace vpntun::config {

// Paths of the files in which secret keys stand: of the private key under "", of preshared keys
// under the names of the peers.
using KeyFiles = std::map<std::string, std::string>;

// Loading it gives the same profile. Keys that have no file stand in the text: it is then the
// caller's to wipe, and to keep from others.
std::string to_toml(const Profile& profile, const KeyFiles& files = {});
// The table of one peer, to be appended to a profile; encryption: of the profile.
std::string peer_to_toml(const Peer& peer, Encryption encryption, const KeyFiles& files = {});

}  // namespace vpntun::config

// Peers added to and removed from the text of a profile, and the other end's profile of a new one.
// Called by vpnctl peer. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "config/profile.h"

namespace vpntun::ctl {

// For each network of the interface its first address that neither the interface nor a peer has, as
// one host. A network of one address has none; neither does one whose first 65536 are taken.
std::vector<IpPrefix> free_addresses(const config::Profile& profile);

// The text without the [[peer]] number `index`, comments above the next table excepted. Nothing
// when the text has it in another form. Whether it says the rest of the profile still is to be
// checked.
std::optional<std::string> without_peer(std::string_view text, std::size_t index);

// What the profile of the other end says: this tunnel is its only peer.
struct OtherEnd {
  crypto::SecretKey private_key;
  config::EndpointSpec endpoint;  // where it finds this tunnel
  bool all_traffic = false;       // a default route, instead of the networks of this interface
  std::vector<IpAddress> dns_servers = {};  // asked about every name
};
config::Profile other_end(const config::Profile& profile, const config::Peer& peer,
                          const OtherEnd& end);

}  // namespace vpntun::ctl

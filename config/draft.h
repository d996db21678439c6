// A profile while it is read and checked: like Profile, but every value knows where it stands, and
// what was written but not understood is remembered, so that checks do not build on it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/profile.h"
#include "config/report.h"

namespace vpntun::config {

struct Value;

struct PeerDraft {
  Spot spot;  // of the [[peer]] header
  Located<std::string> name;
  std::optional<Located<EndpointSpec>> endpoint;
  bool endpoint_unclear = false;  // written, not understood
  std::optional<Spot> allowed_ips_spot;
  std::vector<Located<IpPrefix>> allowed_ips;
  bool allowed_ips_unclear = false;
};

struct Draft {
  Profile profile;  // all but what follows, until finish()
  bool kind_unclear = false;
  std::vector<Located<IpPrefix>> addresses;
  std::optional<Located<std::uint32_t>> mtu;
  Spot listen_port;
  bool listen_port_unclear = false;
  std::optional<Spot> mac_spot;
  std::vector<Located<IpPrefix>> routes;
  std::vector<Located<std::string>> forwarding_interfaces;
  Spot masquerade;
  bool forwarding_unclear = false;
  std::vector<PeerDraft> peers;

  bool is_tun() const { return !kind_unclear && profile.kind == Kind::kTun; }
  bool is_tap() const { return !kind_unclear && profile.kind == Kind::kTap; }
  // The profile of a draft without errors.
  Profile finish() &&;
};

// Reads the values of a document; reports what is no value for its key.
Draft read_profile(const Value& document, Report& report);
// Reports what does not fit together: about the interface and routing, and about the peers.
void check_host(const Draft& draft, Report& report);
void check_peers(const Draft& draft, Report& report);

}  // namespace vpntun::config

#include "session/status_of.h"

namespace vpntun::session {

std::uint64_t unix_usec(std::chrono::system_clock::time_point when) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(when.time_since_epoch()).count());
}

namespace {

std::uint64_t date_of(Instant when) {
  if (when == Instant{}) return 0;
  return unix_usec(std::chrono::system_clock::now() - (BootClock::now() - when));
}

Traffic traffic_of(const dataplane::Traffic& traffic) {
  return {traffic.rx_packets, traffic.rx_bytes, traffic.tx_packets, traffic.tx_bytes};
}

void add_handshakes(PeerStatus& peer, const config::Peer& settings,
                    const dataplane::Handshakes& handshakes) {
  peer.public_key = settings.public_key.to_string();
  peer.has_preshared_key = settings.preshared_key.has_value();
  peer.persistent_keepalive = settings.persistent_keepalive;
  peer.state = state_of(handshakes, BootClock::now());
  peer.latest_handshake_usec = date_of(handshakes.last);
  peer.handshake_attempts = handshakes.attempts;
}

}  // namespace

std::vector<std::string> texts_of(const std::vector<IpPrefix>& prefixes) {
  std::vector<std::string> texts;
  texts.reserve(prefixes.size());
  for (const IpPrefix& prefix : prefixes) texts.push_back(prefix.to_string());
  return texts;
}

Status status_of(const config::Profile& profile, const HostConfig& wanted, const Facts& seen,
                 const Assessment& assessment, const dataplane::Snapshot& snapshot) {
  Status status;
  status.name = profile.name;
  status.description = profile.description;
  status.profile_path = profile.path;
  status.differs_from_profile = seen.changed_by_wg;
  status.interface = seen.interface;
  status.netns = profile.netns.name;
  status.kind = profile.kind;
  status.workers = profile.interface.workers;
  status.encryption = profile.encryption;
  status.addresses = texts_of(wanted.addresses);
  status.routes = texts_of(all_routes(wanted));
  for (const IpAddress& server : profile.interface.dns.servers)
    status.dns_servers.push_back(server.to_string());
  for (const config::DnsDomain& domain : profile.interface.dns.domains)
    status.dns_domains.push_back(domain.to_string());
  status.forwarding = wanted.forwarding && seen.forwarding_off.empty();
  status.kill_switch = wanted.kill_switch;
  status.offloads = seen.offloads;
  status.health = assessment.health;
  status.reason = assessment.reason();
  status.findings = assessment.findings;
  status.traffic = traffic_of(snapshot.traffic);
  for (const dataplane::Drop& drop : snapshot.drops)
    status.drops.push_back({std::string(dataplane::code(drop.reason)),
                            std::string(dataplane::text(drop.reason)), drop.packets, drop.last,
                            date_of(drop.last_time)});
  const bool encrypted = profile.encryption == config::Encryption::kWireguard;
  if (encrypted)
    status.public_key = crypto::public_key_of(profile.interface.private_key).to_string();
  status.peers.reserve(seen.peers.size());
  for (std::size_t i = 0; i < seen.peers.size(); ++i) {
    const config::Peer& settings = profile.peers[i];
    PeerStatus& peer = status.peers.emplace_back();
    peer.name = settings.name;
    for (const config::EndpointSpec& endpoint : settings.endpoints)
      peer.configured_endpoint +=
          (peer.configured_endpoint.empty() ? "" : ", ") + endpoint.to_string();
    peer.endpoint = seen.peers[i].endpoint;
    peer.allowed_ips = settings.allowed_ips;
    peer.traffic = traffic_of(snapshot.peers[i].traffic);
    peer.last_received_usec = date_of(snapshot.peers[i].traffic.last_rx);
    peer.last_sent_usec = date_of(snapshot.peers[i].traffic.last_tx);
    peer.health = assessment.peers[i].health;
    peer.reason = assessment.peers[i].reason;
    if (peer.reason.code == kRefusedCode) peer.refused_by = seen.peers[i].refused->what.said_by;
    if (encrypted) add_handshakes(peer, settings, snapshot.peers[i].handshakes);
  }
  return status;
}

Shown shown_of(const Facts& facts, const Assessment& assessment, Instant now) {
  Shown shown;
  shown.health = assessment.health;
  for (const Reason& finding : assessment.findings) shown.codes.push_back(finding.code);
  shown.offloads = facts.offloads;
  shown.peers.reserve(facts.peers.size());
  for (std::size_t i = 0; i < facts.peers.size(); ++i) {
    const PeerFacts& peer = facts.peers[i];
    shown.peers.push_back({assessment.peers[i].health, assessment.peers[i].reason.code,
                           peer.endpoint, state_of(peer.handshakes, now),
                           has_session(peer.handshakes, now)});
  }
  return shown;
}

}  // namespace vpntun::session

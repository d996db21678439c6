#include "session/news.h"

#include <algorithm>

#include "base/log.h"

namespace vpntun::session {

void log_health(const Assessment& assessment) {
  const Reason reason = assessment.reason();
  log::event(log::Event::kHealthChanged, {.reason = reason.code}, "health: {}{}{}",
             to_string(assessment.health), reason.text.empty() ? "" : ", ", reason.text);
}

void log_endpoint(const std::string& peer, const std::optional<Endpoint>& before,
                  const std::optional<Endpoint>& now) {
  if (!now || now == before) return;
  const std::string endpoint = now->to_string();
  if (before)
    log::event(log::Event::kEndpointMoved, {.peer = peer, .endpoint = endpoint},
               "peer {} moved from {} to {}", peer, before->to_string(), endpoint);
  else
    log::event(log::Event::kEndpointLearned, {.peer = peer, .endpoint = endpoint},
               "peer {} is at {}", peer, endpoint);
}

void log_session(const std::string& peer, const Shown::Peer& before, const Shown::Peer& now) {
  if (before.has_session || !now.has_session) return;
  const std::string endpoint = now.endpoint ? now.endpoint->to_string() : "";
  log::event(log::Event::kPeerConnected, {.peer = peer, .endpoint = endpoint},
             "peer {} is connected{}{}", peer, endpoint.empty() ? "" : ", at ", endpoint);
}

void log_refused(const PeerFacts& peer, const Shown::Peer& before, const Shown::Peer& now) {
  if (before.code == now.code || now.code != kRefusedCode) return;
  const packet::Unreachable& what = peer.refused->what;
  const std::string endpoint = what.remote.to_string();
  log::event(
      log::Event::kPeerRefused,
      {.peer = peer.name, .reason = std::string(to_string(what.obstacle)), .endpoint = endpoint},
      "datagrams to peer {} at {} are refused: ICMP from {}, {}", peer.name, endpoint,
      what.said_by.to_string(),
      what.obstacle == packet::Obstacle::kProhibited
          ? std::string("prohibited")
          : fmt::format("{} unreachable", to_string(what.obstacle)));
}

void log_lost_offloads(const packet::OffloadStates& before, const packet::OffloadStates& now) {
  for (const packet::OffloadState& state : now) {
    if (state.is != packet::OffloadState::Is::kRefused || std::ranges::count(before, state) != 0)
      continue;
    const Reason reason = packet::reason_of(state);
    log::event(log::Event::kOffloadLost, {.reason = reason.code},
               "{} is off from now on: {}; packets go one by one", to_string(state.kind),
               reason.text);
  }
}

}  // namespace vpntun::session

#include "session/peer_name.h"

#include <algorithm>

namespace vpntun::session {

bool PeerName::due(bool silent, Instant now) const noexcept {
  if (asking_) return false;
  if (!last_asked_) return true;
  if (!endpoint_) return now - *last_asked_ >= (network_changed_ ? kSettleTime : kRetryTime);
  return silent && now - *last_asked_ >= kSilence;
}

void PeerName::asked(Instant now) noexcept {
  asking_ = true;
  network_changed_ = false;
  last_asked_ = now;
}

bool PeerName::answered(const NameAnswer& answer) {
  asking_ = false;
  std::vector<Endpoint> usable;
  std::optional<Endpoint> refused;
  for (const Endpoint& endpoint : answer.endpoints) {
    if (endpoint.address.is_v6() && !rules_.ipv6) continue;
    if (endpoint.address.is_public() && !rules_.allow_public) {
      if (!refused) refused = endpoint;
      continue;
    }
    usable.push_back(endpoint);
  }
  if (usable.empty() && refused) {
    // An address that became public is not used any longer.
    const bool changed = endpoint_.has_value();
    endpoint_.reset();
    state_ = NameState::kPublicPlaintext;
    failure_ = refused->address.to_string();
    return changed;
  }
  if (usable.empty()) {
    failure_ = answer.failure.empty() ? "no usable address" : answer.failure;
    if (!endpoint_) state_ = NameState::kFailed;
    return false;
  }
  state_ = NameState::kResolved;
  failure_.clear();
  if (endpoint_ && std::find(usable.begin(), usable.end(), *endpoint_) != usable.end())
    return false;
  endpoint_ = usable.front();
  return true;
}

}  // namespace vpntun::session

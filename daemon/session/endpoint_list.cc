#include "session/endpoint_list.h"

namespace vpntun::session {

std::optional<Endpoint> EndpointList::Candidate::endpoint() const {
  if (name) return name->endpoint();
  return Endpoint{*spec.address, spec.port};
}

EndpointList::EndpointList(const std::vector<config::EndpointSpec>& specs, NameRules rules) {
  for (const config::EndpointSpec& spec : specs) {
    Candidate& candidate = candidates_.emplace_back(Candidate{spec, std::nullopt});
    if (!spec.address) candidate.name.emplace(spec.host, spec.port, rules);
  }
}

std::optional<Endpoint> EndpointList::endpoint() const {
  return empty() ? std::nullopt : candidates_[in_use_].endpoint();
}

const PeerName* EndpointList::name() const noexcept {
  return empty() || !candidates_[in_use_].name ? nullptr : &*candidates_[in_use_].name;
}

bool EndpointList::turn() noexcept {
  for (std::size_t step = 1; step < candidates_.size(); ++step) {
    const std::size_t next = (in_use_ + step) % candidates_.size();
    if (!candidates_[next].endpoint()) continue;
    in_use_ = next;
    return true;
  }
  return false;
}

bool EndpointList::settle(const std::optional<Endpoint>& before) noexcept {
  const PeerName* const mine = name();
  if (mine != nullptr && !mine->endpoint() && mine->state() != NameState::kPending) turn();
  return endpoint() != before;
}

}  // namespace vpntun::session

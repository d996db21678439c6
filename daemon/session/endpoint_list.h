// The endpoints of one peer as its profile lists them, one of them in use: the next one's turn
// comes when the peer does not answer there. Host names are on their way to addresses
// (peer_name.h). Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "config/profile.h"
#include "session/peer_name.h"

namespace vpntun::session {

class EndpointList {
 public:
  struct Candidate {
    config::EndpointSpec spec;
    std::optional<PeerName> name;  // none: a literal address

    std::optional<Endpoint> endpoint() const;
  };

  EndpointList() = default;  // empty: the endpoint is learned
  EndpointList(const std::vector<config::EndpointSpec>& specs, NameRules rules);

  bool empty() const noexcept { return candidates_.empty(); }
  std::vector<Candidate>& candidates() noexcept { return candidates_; }

  // Of the candidate in use: where it is, and how its name does. Nothing where it has none yet.
  std::optional<Endpoint> endpoint() const;
  const PeerName* name() const noexcept;

  // The peer does not answer: uses the next candidate that has an address. False: there is no
  // other.
  bool turn() noexcept;
  // A name was answered: goes on from one that cannot be used to one that can. Returns whether the
  // endpoint in use is another one than `before`.
  bool settle(const std::optional<Endpoint>& before) noexcept;

 private:
  std::vector<Candidate> candidates_;
  std::size_t in_use_ = 0;
};

}  // namespace vpntun::session

// The peers of a running session as the control thread sees them: their configuration for the
// worker, their names on the way to addresses, and what their counters have shown. Thread: control.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "config/profile.h"
#include "dataplane/workers.h"
#include "service/loop.h"
#include "session/endpoint_list.h"
#include "session/health.h"
#include "session/resolver.h"
#include "session/status.h"

namespace vpntun::session {

class Peers {
 public:
  // A configured endpoint is another one than before: a name was resolved, or it is the next one's
  // turn (nullopt: none can be used any longer).
  using Resolved = std::function<void(std::size_t peer, const std::optional<Endpoint>& endpoint)>;

  Peers(const config::Profile& profile, service::Loop& loop, NameRules rules,
        Resolver::Lookup lookup, Resolved resolved);

  // Another profile's peers. Those of a known name keep what their counters have shown; a host name
  // that stays is not looked up again.
  void replace(const config::Profile& profile, NameRules rules);

  std::vector<dataplane::PeerConfig> configs() const;

  // Takes in new counters and asks for names that are due. Returns whether anything moved or is
  // still open, so that it is worth looking again soon.
  bool advance(const dataplane::Snapshot& snapshot, Instant now);
  // Names that nobody knew may be known there.
  void network_changed() noexcept;
  // What is known of each peer, with counters newer than those of the last advance().
  std::vector<PeerFacts> facts(const dataplane::Snapshot& snapshot) const;
  EndpointSource source_of(std::size_t peer, const std::optional<Endpoint>& endpoint) const;

 private:
  struct Entry {
    std::size_t question = 0;  // as which its first name is looked up, the others follow; of this
                               // entry only
    config::Peer settings;
    EndpointList endpoints;
    Exchange exchange;
    unsigned attempts = 0;  // handshakes begun since the last success, at the last look
    Instant attempted{};    // when that became another number
    bool turned = false;    // to another endpoint since then
  };

  // Whether nobody answered the last handshake in time for the next one to go elsewhere.
  bool is_unanswered(Entry& entry, const dataplane::Handshakes& handshakes, Instant now);
  void ask_names(Entry& entry, bool silent, Instant now);
  void take_answer(std::size_t question, const NameAnswer& answer);
  void follow_name(std::size_t peer, EndpointList::Candidate& candidate, const NameAnswer& answer);

  bool encrypted_ = false;
  NameRules rules_;
  std::vector<Entry> entries_;
  std::size_t next_question_ = 0;
  Resolved resolved_;
  Resolver resolver_;
};

}  // namespace vpntun::session

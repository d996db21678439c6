// How a running session looks at what it runs: counters, host and the ways to its peers, at
// intervals and when something tells that they changed. The rest of Running is in running.cc.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "os/sysctl.h"
#include "session/interface.h"
#include "session/news.h"
#include "session/own_clock.h"
#include "session/running.h"

namespace vpntun::session {

namespace {

constexpr Duration kBusyInterval = std::chrono::seconds(1);  // between two looks at the counters
constexpr Duration kIdleInterval = std::chrono::seconds(5);  // when nothing moved at the last look
constexpr Duration kNoticeDelay = std::chrono::milliseconds(50);  // notices come in bursts
constexpr int kLookShare = 10;                                    // of the time: a tenth
constexpr Duration kNap = std::chrono::seconds(1);  // of the machine, that goes unnoticed

// A question to the kernel that failed is no reason to end a tunnel that works.
template <typename Work>
void or_warn(Work work) {
  try {
    work();
  } catch (const Error& error) {
    log::warning("{}", error.what());
  }
}

}  // namespace

// What the kernel reports changes of: read again after a notice, not at every look.
void Running::look_at_host(const dataplane::Snapshot& snapshot) {
  or_warn(
      [this] { drift_ = drift_of(wanted_, look_at_interface(netlink_, index_, wanted_.table)); });
  policy_routing_->look();
  if (forwards_answers(wanted_))
    or_warn([this] { forwarding_->replace(forwarding_interfaces(wanted_)); });
  look_at_ways(snapshot, Ways::Of::kAll);
}

// A peer to which another way leads now hears from us, and answers there.
void Running::look_at_ways(const dataplane::Snapshot& snapshot, Ways::Of which) {
  if (!namespaces_.together()) return;
  const std::vector<PeerFacts> known = peers_->facts(snapshot);
  or_warn([&] {
    for (const std::size_t peer : ways_.look(netlink_, known, which, index_, mark_))
      workers_->change_way(static_cast<packet::PeerIndex>(peer));
  });
}

Facts Running::facts(const dataplane::Snapshot& snapshot) {
  Facts facts;
  facts.tunnel = profile_.name;
  facts.interface = interface_;
  facts.frames = profile_.kind == config::Kind::kTap;
  facts.drift = drift_;
  or_warn([&] { facts.forwarding_off = forwarding_->off(); });
  facts.forwarding_v6_off = forwarding_v6_off_;
  facts.masquerade_failure = masquerade_->failure();
  facts.routing_failure = policy_routing_->failure();
  facts.kill_switch_failure = kill_switch_.failure();
  facts.dns_failure = dns_failure_;
  facts.control_failure = control_failure_;
  facts.own_clock = own_clock(profile_);
  facts.changed_by_wg = before_wg_.has_value();
  facts.offloads = snapshot.offloads;
  facts.peers = peers_->facts(snapshot);
  for (std::size_t i = 0; i < facts.peers.size(); ++i)
    facts.peers[i].endpoint_through_tunnel = ways_.leads_through_tunnel(i);
  return facts;
}

// Of which the kernel sends no notice. Whoever asks for the status needs no descriptor for it.
void Running::look_at_forwarding() {
  or_warn([this] {
    forwarding_v6_off_ =
        wanted_.forwarding_v6 && !namespaces_.at_interface([] { return os::ipv6_forwarding(); });
  });
}

void Running::look() {
  const Instant begun = BootClock::now();
  workers_->hear_again();
  const dataplane::Snapshot snapshot = workers_->snapshot();
  const bool moved = take_in_moves(snapshot);
  if (std::exchange(host_changed_, false)) {
    look_at_host(snapshot);
    peers_->network_changed();
  } else if (moved) {
    look_at_ways(snapshot, Ways::Of::kMoved);
  }
  look_at_forwarding();
  policy_routing_->look_at_reply_path();
  kill_switch_.look();
  masquerade_->look();
  if (const Duration asleep = time_asleep(); asleep > std::exchange(asleep_, asleep) + kNap)
    workers_->revive_peers();
  look_at_peers(snapshot, loop_.now());
  look_cost_ = BootClock::now() - begun;
}

// Remembers where peers are when one of them is elsewhere than at the last look. Returns whether
// the way to one may be another.
bool Running::take_in_moves(const dataplane::Snapshot& snapshot) {
  const bool told = std::exchange(moved_, false);
  if (std::ranges::equal(snapshot.peers, shown_.peers, {},
                         &dataplane::Snapshot::PeerState::endpoint, &Shown::Peer::endpoint))
    return told;
  remember_endpoints(snapshot);
  return true;
}

// Takes in the counters, judges, tells if something changed, and plans the next look.
void Running::look_at_peers(const dataplane::Snapshot& snapshot, Instant now) {
  const bool active = peers_->advance(snapshot, now);
  const Facts seen = facts(snapshot);
  const Assessment assessment = assess(seen, now);
  plan_look(now + (active ? kBusyInterval : kIdleInterval));

  Shown next = shown_of(seen, assessment, now);
  if (next == shown_) return;
  if (next.health != shown_.health || next.codes != shown_.codes) log_health(assessment);
  log_lost_offloads(shown_.offloads, next.offloads);
  for (std::size_t i = 0; i < seen.peers.size(); ++i) {
    if (peers_->source_of(i, next.peers[i].endpoint) == EndpointSource::kLearned)
      log_endpoint(seen.peers[i].name, shown_.peers[i].endpoint, next.peers[i].endpoint);
    log_session(seen.peers[i].name, shown_.peers[i], next.peers[i]);
    log_refused(seen.peers[i], shown_.peers[i], next.peers[i]);
  }
  shown_ = std::move(next);
  if (changed_) changed_();
}

void Running::plan_look(Instant when) {
  next_look_ = when;
  loop_.set_timer(timer_, when);
}

void Running::look_at_host_soon() {
  host_changed_ = true;
  look_soon();
}

// One look for a burst. A look that is due is not put off: others could do that for ever, by
// changes of routes or by datagrams from ever new places. At all peers, so with thousands of them
// it must not become all that is done.
void Running::look_soon() {
  const Instant soon = loop_.now() + std::max(kNoticeDelay, kLookShare * look_cost_);
  if (soon < next_look_) plan_look(soon);
}

}  // namespace vpntun::session

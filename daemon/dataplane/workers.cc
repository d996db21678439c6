#include "dataplane/workers.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>

#include "dataplane/plane.h"
#include "dataplane/worker.h"

namespace vpntun::dataplane {
namespace {

// Threads inherit the mask: signals are the control thread's, and SIGPIPE of a capture nobody's.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

Workers::Workers(std::vector<Ports> ports, const WorkerOptions& options)
    : plane_(std::make_unique<Plane>(options)), answered_(ports.size()) {
  for (Ports& pair : ports)
    workers_.push_back(std::make_unique<Worker>(workers_.size(), *plane_, std::move(pair.inside),
                                                std::move(pair.outside)));
}

Workers::~Workers() {
  stop();
}

void Workers::start() {
  // Who the peers are, before the packets that wait already: those of a restart.
  workers_.front()->obey_commands();
  const AllSignalsBlocked blocked;
  for (const auto& worker : workers_) {
    threads_.emplace_back([worker = worker.get()] { worker->run(); });
    const std::string name = "vpntun-w" + std::to_string(threads_.size() - 1);
    pthread_setname_np(threads_.back().native_handle(), name.c_str());
  }
}

void Workers::stop() noexcept {
  for (std::size_t i = 0; i < threads_.size(); ++i) workers_[i]->commands().post(Stop{});
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Workers::post(Change change) {
  workers_.front()->commands().post(std::move(change));
}

void Workers::set_peers(const std::vector<PeerConfig>& peers) {
  std::unordered_map<std::string_view, std::size_t> former;
  for (std::size_t i = 0; i < configs_.size(); ++i) former.emplace(configs_[i].name, i);
  std::vector<std::shared_ptr<PeerRecord>> records;
  std::vector<wg::PeerSettings> keys;
  std::vector<PeerIndex> elsewhere;  // learning peers that are given another endpoint than before
  for (std::size_t i = 0; i < peers.size(); ++i) {
    const PeerConfig& peer = peers[i];
    keys.push_back(peer.keys);
    const auto known = former.find(peer.name);
    if (known == former.end()) {
      records.push_back(std::make_shared<PeerRecord>());
      records.back()->set_endpoint(peer.endpoint);
      continue;
    }
    const PeerConfig& old = configs_[known->second];
    records.push_back(records_[known->second]);
    if (!peer.learns || !old.learns)
      records.back()->set_endpoint(peer.endpoint);
    else if (peer.endpoint && peer.endpoint != old.endpoint)
      elsewhere.push_back(static_cast<PeerIndex>(i));
  }
  configs_ = peers;
  records_ = std::move(records);
  post(SetPeers{PeerTable(configs_, records_), std::move(keys)});
  for (const PeerIndex peer : elsewhere) set_endpoint(peer, configs_[peer].endpoint);
}

void Workers::set_private_key(const crypto::SecretKey& key) {
  post(SetPrivateKey{key});
}

void Workers::set_mtu(std::uint32_t mtu) {
  post(SetMtu{mtu});
}

void Workers::revive_peers() {
  post(Revive{});
}

void Workers::set_allow_public_plaintext(bool allowed) {
  post(AllowPublic{allowed});
}

void Workers::set_endpoint(PeerIndex peer, const std::optional<Endpoint>& endpoint) {
  configs_[peer].endpoint = endpoint;
  post(SetEndpoint{peer, endpoint});
}

void Workers::change_way(PeerIndex peer) {
  post(ChangeWay{peer});
}

std::optional<std::uint64_t> Workers::add_capture(UniqueFd pipe, const CaptureOptions& options) {
  if (captures_ == kMaxCaptures) return std::nullopt;
  ++captures_;
  const std::uint64_t id = next_capture_++;
  post(AddCapture{id, std::move(pipe), options});
  return id;
}

void Workers::inject(std::vector<std::uint8_t> bytes, std::uint64_t token) {
  workers_.front()->commands().post(Inject{std::move(bytes), token});
}

void Workers::ask_alive() {
  for (const auto& worker : workers_) worker->commands().post(Ask{});
}

int Workers::event_fd() const noexcept {
  return plane_->notices.fd();
}

std::vector<Event> Workers::take_events() {
  std::vector<Event> events;
  for (const Notice& notice : plane_->notices.take()) {
    if (const auto* changed = std::get_if<PeerChanged>(&notice)) {
      heard_.push_back(changed->record);
      events.emplace_back(PeerNews{});
    } else if (const auto* injected = std::get_if<Injected>(&notice)) {
      events.emplace_back(InjectDone{injected->token, injected->error_number});
    } else if (const auto* closed = std::get_if<CaptureClosed>(&notice)) {
      --captures_;
      events.emplace_back(CaptureEnded{closed->id, closed->lost});
    } else if (const auto* answer = std::get_if<Answered>(&notice)) {
      answered_[answer->worker] = true;
      if (std::ranges::find(answered_, false) != answered_.end()) continue;
      answered_.assign(answered_.size(), false);
      events.emplace_back(Alive{});
    } else {
      events.emplace_back(InsideGone{});
    }
  }
  return events;
}

void Workers::hear_again() {
  for (const auto& record : heard_) record->announced();
  heard_.clear();
}

Snapshot Workers::snapshot() const {
  Snapshot snapshot;
  snapshot.traffic = plane_->tables.traffic.read();
  snapshot.drops = plane_->tables.drops.read(plane_->tables.frames);
  snapshot.offloads = workers_.front()->offloads();
  // One that a single thread has lost is off.
  for (std::size_t i = 1; i < workers_.size(); ++i) {
    const packet::OffloadStates others = workers_[i]->offloads();
    for (std::size_t kind = 0; kind < std::min(others.size(), snapshot.offloads.size()); ++kind)
      if (snapshot.offloads[kind].on()) snapshot.offloads[kind] = others[kind];
  }
  snapshot.peers.reserve(records_.size());
  for (const auto& record : records_)
    snapshot.peers.push_back(
        {record->traffic.read(), record->endpoint(), record->handshakes(), record->refused()});
  return snapshot;
}

}  // namespace vpntun::dataplane

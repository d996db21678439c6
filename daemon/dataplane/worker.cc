#include "dataplane/worker.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>

#include "dataplane/loop.h"
#include "dataplane/plane.h"

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

Worker::Worker(std::vector<Ports> ports, const WorkerOptions& options)
    : plane_(std::make_unique<Plane>(options)), answered_(ports.size()) {
  for (Ports& pair : ports)
    loops_.push_back(std::make_unique<Loop>(loops_.size(), *plane_, std::move(pair.inside),
                                            std::move(pair.outside)));
}

Worker::~Worker() {
  stop();
}

void Worker::start() {
  // Who the peers are, before the packets that wait already: those of a restart.
  loops_.front()->obey_commands();
  const AllSignalsBlocked blocked;
  for (const auto& loop : loops_) {
    threads_.emplace_back([loop = loop.get()] { loop->run(); });
    const std::string name = "vpntun-w" + std::to_string(threads_.size() - 1);
    pthread_setname_np(threads_.back().native_handle(), name.c_str());
  }
}

void Worker::stop() noexcept {
  for (std::size_t i = 0; i < threads_.size(); ++i) loops_[i]->commands().post(Stop{});
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Worker::post(Change change) {
  loops_.front()->commands().post(std::move(change));
}

void Worker::set_peers(const std::vector<PeerConfig>& peers) {
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

void Worker::set_private_key(const crypto::SecretKey& key) {
  post(SetPrivateKey{key});
}

void Worker::set_mtu(std::uint32_t mtu) {
  post(SetMtu{mtu});
}

void Worker::revive_peers() {
  post(Revive{});
}

void Worker::set_allow_public_plaintext(bool allowed) {
  post(AllowPublic{allowed});
}

void Worker::set_endpoint(PeerIndex peer, const std::optional<Endpoint>& endpoint) {
  post(SetEndpoint{peer, endpoint});
}

std::optional<std::uint64_t> Worker::add_capture(UniqueFd pipe, const CaptureOptions& options) {
  if (captures_ == kMaxCaptures) return std::nullopt;
  ++captures_;
  const std::uint64_t id = next_capture_++;
  post(AddCapture{id, std::move(pipe), options});
  return id;
}

void Worker::inject(std::vector<std::uint8_t> bytes, std::uint64_t token) {
  loops_.front()->commands().post(Inject{std::move(bytes), token});
}

void Worker::ask_alive() {
  for (const auto& loop : loops_) loop->commands().post(Ask{});
}

int Worker::event_fd() const noexcept {
  return plane_->notices.fd();
}

std::vector<Event> Worker::take_events() {
  std::vector<Event> events;
  for (const Notice& notice : plane_->notices.take()) {
    if (const auto* changed = std::get_if<PeerChanged>(&notice)) {
      // Opens the way for the next announcement before anybody looks: no change is missed.
      changed->record->announced();
      const auto peer = std::find(records_.begin(), records_.end(), changed->record);
      if (peer != records_.end())
        events.emplace_back(PeerNews{static_cast<PeerIndex>(peer - records_.begin())});
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

Snapshot Worker::snapshot() const {
  Snapshot snapshot;
  snapshot.traffic = plane_->tables.traffic.read();
  snapshot.drops = plane_->tables.drops.read(plane_->tables.frames);
  snapshot.offloads = loops_.front()->offloads();
  // One that a single thread has lost is off.
  for (std::size_t i = 1; i < loops_.size(); ++i) {
    const packet::OffloadStates others = loops_[i]->offloads();
    for (std::size_t kind = 0; kind < std::min(others.size(), snapshot.offloads.size()); ++kind)
      if (snapshot.offloads[kind].on()) snapshot.offloads[kind] = others[kind];
  }
  for (const auto& record : records_)
    snapshot.peers.push_back(
        {record->traffic.read(), record->endpoint(), record->handshakes(), record->refused()});
  return snapshot;
}

}  // namespace vpntun::dataplane

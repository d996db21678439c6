#include "dataplane/worker.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "dataplane/loop.h"

namespace vpntun::dataplane {

Worker::Worker(std::unique_ptr<packet::InsidePort> inside,
               std::unique_ptr<packet::OutsidePort> outside, WorkerOptions options)
    : thread_name_(std::move(options.thread_name)),
      loop_(std::make_unique<Loop>(std::move(inside), std::move(outside), options)) {}

Worker::~Worker() {
  stop();
}

void Worker::start() {
  // The thread inherits the mask: signals are the control thread's, and SIGPIPE of a capture
  // nobody's.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([loop = loop_.get()] { loop->run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread_.native_handle(), thread_name_.substr(0, 15).c_str());
}

void Worker::stop() noexcept {
  if (!thread_.joinable()) return;
  loop_->commands().post(Stop{});
  thread_.join();
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
  loop_->commands().post(SetPeers{PeerTable(configs_, records_), std::move(keys)});
  for (const PeerIndex peer : elsewhere) set_endpoint(peer, configs_[peer].endpoint);
}

void Worker::set_private_key(const crypto::SecretKey& key) {
  loop_->commands().post(SetPrivateKey{key});
}

void Worker::set_mtu(std::uint32_t mtu) {
  loop_->commands().post(SetMtu{mtu});
}

void Worker::revive_peers() {
  loop_->commands().post(Revive{});
}

void Worker::set_allow_public_plaintext(bool allowed) {
  loop_->commands().post(AllowPublic{allowed});
}

void Worker::set_endpoint(PeerIndex peer, const std::optional<Endpoint>& endpoint) {
  loop_->commands().post(SetEndpoint{peer, endpoint});
}

std::optional<std::uint64_t> Worker::add_capture(UniqueFd pipe, const CaptureOptions& options) {
  if (captures_ == kMaxCaptures) return std::nullopt;
  ++captures_;
  const std::uint64_t id = next_capture_++;
  loop_->commands().post(AddCapture{id, std::move(pipe), options});
  return id;
}

void Worker::inject(std::vector<std::uint8_t> bytes, std::uint64_t token) {
  loop_->commands().post(Inject{std::move(bytes), token});
}

void Worker::ask_alive() {
  loop_->commands().post(Ask{});
}

int Worker::event_fd() const noexcept {
  return loop_->notices().fd();
}

std::vector<Event> Worker::take_events() {
  std::vector<Event> events;
  for (const Notice& notice : loop_->notices().take()) {
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
    } else if (std::holds_alternative<Answered>(notice)) {
      events.emplace_back(Alive{});
    } else {
      events.emplace_back(InsideGone{});
    }
  }
  return events;
}

Snapshot Worker::snapshot() const {
  Snapshot snapshot;
  snapshot.traffic = loop_->tables().traffic.read();
  snapshot.drops = loop_->tables().drops.read(loop_->tables().frames);
  snapshot.offloads = loop_->offloads();
  for (const auto& record : records_)
    snapshot.peers.push_back(
        {record->traffic.read(), record->endpoint(), record->handshakes(), record->refused()});
  return snapshot;
}

}  // namespace vpntun::dataplane

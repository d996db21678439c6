// What several workers get out of the data plane they share, without a kernel: each carries packets
// of 1420 bytes to a peer of its own, through ports of memory. Wall time for a packet of all of
// them together: half with two threads, were nothing shared and a processor there for each. Google
// Benchmark; run by tests/bench/run, built optimised.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "dataplane/outbound.h"
#include "dataplane/plain.h"
#include "dataplane/wireguard.h"
#include "packet/build.h"
#include "wg/device.h"

namespace vpntun::dataplane {
namespace {

constexpr std::size_t kPacket = 1420;  // bytes
constexpr int kMostWorkers = 4;

std::string inner_address(int worker) {
  return "10.0.0." + std::to_string(worker + 1);
}

// Gives a batch of packets whenever it is asked, as often as it is told.
class EndlessInside final : public packet::InsidePort {
 public:
  explicit EndlessInside(const std::string& destination) {
    packet::IpFields ip;
    ip.source = *IpAddress::parse("10.9.0.1");
    ip.destination = *IpAddress::parse(destination);
    packet_ = packet::build_udp(ip, 1000, 2000, std::vector<std::uint8_t>(kPacket - 28));
  }
  int fd() const noexcept override { return -1; }
  packet::Reading receive(packet::Batch& batch) noexcept override {
    memory_.clear();
    while (!batch.full() && memory_.fits(packet_.size()))
      batch.append_view(memory_.append_copy(packet_));
    return packet::Reading::kDrained;
  }
  void send(packet::Batch&) noexcept override {}

 private:
  std::vector<std::uint8_t> packet_;
  packet::Batch memory_;
};

class Nowhere final : public packet::OutsidePort {
 public:
  int fd() const noexcept override { return -1; }
  packet::Reading receive(packet::Batch&) noexcept override { return packet::Reading::kDrained; }
  void send(packet::Batch& batch) noexcept override {
    for (packet::Packet& packet : batch.packets()) packet.verdict = packet::SendVerdict::kSent;
    sent += batch.size();
  }
  std::size_t sent = 0;
};

const auto kSurroundings = wg::Surroundings{
    &crypto::random_bytes, [] { return std::chrono::system_clock::now().time_since_epoch(); }};

// What the workers share.
class Shared {
 public:
  explicit Shared(bool encrypted) : encrypted_(encrypted) {
    std::vector<PeerConfig> peers;
    std::vector<wg::PeerSettings> keys;
    std::vector<std::shared_ptr<PeerRecord>> records;
    for (int i = 0; i < kMostWorkers; ++i) {
      PeerConfig peer;
      peer.name = std::to_string(i);
      peer.endpoint = Endpoint{*IpAddress::parse("10.1.0." + std::to_string(i + 1)), 9000};
      peer.allowed_ips = {*IpPrefix::parse(inner_address(i) + "/32")};
      peer.keys.public_key =
          crypto::public_key_of(remote_keys_.emplace_back(crypto::SecretKey::generate_private()));
      keys.push_back(peer.keys);
      peers.push_back(peer);
      records.push_back(std::make_shared<PeerRecord>());
    }
    tables.now = BootClock::now();
    PeerTable table(peers, records);
    tables.replace_peers(std::move(table), {});
    if (encrypted_) shake_hands(keys);
  }
  Transport& transport() noexcept {
    if (encrypted_) return wireguard_;
    return plain_;
  }

  Tables tables{false, false, CaptureSource{}, 42};

 private:
  void shake_hands(const std::vector<wg::PeerSettings>& keys) {
    const auto own = crypto::SecretKey::generate_private();
    wireguard_.set_private_key(own);
    wireguard_.set_peers(keys);
    for (PeerIndex i = 0; i < tables.peers.size(); ++i) {
      wg::Device& remote = *remotes_.emplace_back(std::make_unique<wg::Device>(kSurroundings));
      remote.set_private_key(remote_keys_[i], tables.now);
      remote.add({.public_key = crypto::public_key_of(own), .preshared_key = {}}, tables.now);
      wireguard_.revive(i);
      packet::Batch datagrams;
      wireguard_.poll(datagrams);
      for (packet::Packet& datagram : datagrams.packets())
        if (datagram.peer == i) remote.receive(datagram.bytes, {}, tables.now);
      auto answer = remote.poll_transmit(tables.now).value();
      packet::Packet response;
      response.bytes = std::span(answer.bytes).first(answer.size);
      response.remote = *tables.peers[i].endpoint;
      wireguard_.open(response, {});
    }
  }

  const bool encrypted_;
  std::vector<crypto::SecretKey> remote_keys_;
  std::vector<std::unique_ptr<wg::Device>> remotes_;
  Plain plain_{tables};
  Wireguard wireguard_{tables, kSurroundings};
};

void outbound(benchmark::State& state, bool encrypted) {
  static std::unique_ptr<Shared> shared;  // made before the threads begin, which wait for it
  if (state.thread_index() == 0) shared = std::make_unique<Shared>(encrypted);
  std::unique_ptr<EndlessInside> inside;
  std::unique_ptr<Nowhere> outside;
  std::unique_ptr<Outbound> worker;
  for (auto turn : state) {
    if (!worker) {
      inside = std::make_unique<EndlessInside>(inner_address(state.thread_index()));
      outside = std::make_unique<Nowhere>();
      worker = std::make_unique<Outbound>(shared->tables, shared->transport(), *inside, *outside);
    }
    worker->run(packet::kBatchSize);
  }
  const double packets = outside ? static_cast<double>(outside->sent) : 0;
  if (packets == 0) return state.SkipWithError("nothing was sent");
  // Summed up over the threads: packets a second of all; its inverse is the time for one.
  state.counters["ns"] =
      benchmark::Counter(packets * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

BENCHMARK_CAPTURE(outbound, plain, false)->ThreadRange(1, kMostWorkers)->UseRealTime();
BENCHMARK_CAPTURE(outbound, wireguard, true)->ThreadRange(1, kMostWorkers)->UseRealTime();

}  // namespace
}  // namespace vpntun::dataplane

BENCHMARK_MAIN();

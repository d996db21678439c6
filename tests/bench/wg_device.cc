// What the WireGuard protocol costs without I/O: packets, handshakes, and peers that are idle.
// Google Benchmark; run by tests/bench/run, built optimised.
#include "wg/device.h"
#include "wg/index_table.h"

#include <benchmark/benchmark.h>
#include <malloc.h>

#include <array>
#include <chrono>
#include <memory>
#include <vector>

#include "crypto/crypto.h"

namespace vpntun::wg {
namespace {

constexpr std::size_t kMtu = 1420;
constexpr std::size_t kBurst = 256;  // packets that are opened in a row

std::size_t allocated_bytes() {
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

class Pair {
 public:
  Pair() {
    const auto a = crypto::SecretKey::generate_private();
    const auto b = crypto::SecretKey::generate_private();
    from_.set_private_key(a, now_);
    to_.set_private_key(b, now_);
    peer_ = from_.add({.public_key = crypto::public_key_of(b), .preshared_key = {}}, now_);
    to_.add({.public_key = crypto::public_key_of(a), .preshared_key = {}}, now_);
    handshake();
  }

  void handshake() {
    now_ += kRekeyTimeout;
    from_.wish_handshake(peer_, now_);
    pass(from_, to_);
    pass(to_, from_);
    pass(from_, to_);
  }

  // slot: has room for header, padding and tag. The datagram lies in it.
  std::optional<MutableBytes> seal(MutableBytes slot, std::size_t size) {
    auto sealing = from_.seal(peer_, slot.subspan(kDataHeaderSize, size), kMtu, now_);
    if (!sealing) return std::nullopt;
    sealing->finish();
    return sealing->datagram();
  }
  bool open(MutableBytes datagram) {
    return to_.receive(datagram, {}, now_).kind == Arrival::Kind::kData;
  }

 private:
  static Surroundings surroundings() {
    return {crypto::random_bytes,
            [] { return std::chrono::system_clock::now().time_since_epoch(); }};
  }
  void pass(Device& from, Device& to) {
    while (auto transmit = from.poll_transmit(now_))
      to.receive(MutableBytes(transmit->bytes).first(transmit->size), {}, now_);
    while (from.poll_event() || to.poll_event()) {
    }
  }

  Instant now_ = BootClock::now();
  Device from_{surroundings()};
  Device to_{surroundings()};
  PeerId peer_ = kNobody;
};

void seal(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  Pair pair;
  std::array<std::uint8_t, 2048> slot{};
  for (auto turn : state)
    if (!pair.seal(slot, size)) return state.SkipWithError("there is no session");
  state.SetBytesProcessed(state.range(0) * state.iterations());
}

// Each packet can be opened once, so a burst is sealed while the clock stands.
void open(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  Pair pair;
  std::vector<std::array<std::uint8_t, 2048>> slots(kBurst);
  std::vector<MutableBytes> datagrams(kBurst);
  for (std::size_t left = 0; auto turn : state) {
    if (left == 0) {
      state.PauseTiming();
      for (std::size_t i = 0; i < kBurst; ++i) datagrams[i] = pair.seal(slots[i], size).value();
      left = kBurst;
      state.ResumeTiming();
    }
    if (!pair.open(datagrams[kBurst - left--])) return state.SkipWithError("a packet is refused");
  }
  state.SetBytesProcessed(state.range(0) * state.iterations());
}

// Both ends of it.
void handshake(benchmark::State& state) {
  Pair pair;
  for (auto turn : state) pair.handshake();
}

void find_peer(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  std::vector<crypto::PublicKey> keys(count);
  for (auto& key : keys) crypto::random_bytes(key.bytes);
  const std::size_t before = allocated_bytes();
  const Instant now = BootClock::now();
  Device device({crypto::random_bytes, [] { return std::chrono::nanoseconds(); }});
  device.set_private_key(crypto::SecretKey::generate_private(), now);
  for (const auto& key : keys) device.add({.public_key = key, .preshared_key = {}}, now);
  state.counters["bytes_each"] =
      static_cast<double>(allocated_bytes() - before) / static_cast<double>(count);
  std::size_t at = 0;
  for (auto turn : state) {
    benchmark::DoNotOptimize(device.find(keys[at]));
    at = (at + 1) % count;
  }
}

void find_index(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  IndexTable table(crypto::random_bytes);
  std::vector<IndexTable::Lease> leases;
  for (PeerId peer = 0; peer < count; ++peer) leases.push_back(table.take(peer));
  std::size_t at = 0;
  for (auto turn : state) {
    benchmark::DoNotOptimize(table.find(leases[at].index()));
    at = (at + 1) % count;
  }
}

BENCHMARK(seal)->Arg(64)->Arg(1420);
BENCHMARK(open)->Arg(64)->Arg(1420);
BENCHMARK(handshake);
BENCHMARK(find_peer)->Arg(1)->Arg(1'000)->Arg(10'000);
BENCHMARK(find_index)->Arg(1)->Arg(1'000)->Arg(10'000);

}  // namespace
}  // namespace vpntun::wg

BENCHMARK_MAIN();

// What finding the peer of an inner address costs, by how many prefixes there are. Google
// Benchmark; run by tests/bench/run, built optimised.
#include "dataplane/allowed_ips.h"

#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <random>
#include <set>
#include <vector>

#include "base/wire.h"

namespace vpntun::dataplane {
namespace {

constexpr std::size_t kPackets = 1 << 16;

using V4 = std::array<std::uint8_t, 4>;
using V6 = std::array<std::uint8_t, 16>;

template <class Bytes>
Bytes random_address(std::mt19937& chance) {
  Bytes bytes{};
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(chance());
  return bytes;
}

IpAddress address_of(const V4& bytes) {
  return IpAddress::v4(bytes);
}
IpAddress address_of(const V6& bytes) {
  return IpAddress::v6(bytes);
}

template <class Bytes>
struct Peers {
  std::vector<AllowedIp> allowed;
  std::vector<Bytes> addresses;  // inside of the prefixes, in their order

  void add(const Bytes& bytes, unsigned length) {
    allowed.push_back({{address_of(bytes), length}, static_cast<PeerIndex>(addresses.size())});
    addresses.push_back(bytes);
  }
};

// Prefixes of many lengths, as providers announce them.
template <class Bytes>
Peers<Bytes> networks(std::size_t count) {
  constexpr unsigned kShortest = sizeof(Bytes) == 4 ? 12 : 28;
  constexpr unsigned kLongest = sizeof(Bytes) == 4 ? 32 : 64;
  std::mt19937 chance(1);
  std::set<IpPrefix> different;
  Peers<Bytes> peers;
  while (different.size() < count) {
    const auto bytes = random_address<Bytes>(chance);
    peers.add(bytes, kShortest + static_cast<unsigned>(chance()) % (kLongest - kShortest + 1));
    different.insert(peers.allowed.back().prefix.network());
  }
  return peers;
}

// Each peer has one address, all in one network.
template <class Bytes>
Peers<Bytes> hosts(std::size_t count) {
  Peers<Bytes> peers;
  for (std::size_t i = 0; i < count; ++i) {
    Bytes bytes{static_cast<std::uint8_t>(sizeof(Bytes) == 4 ? 10 : 0xfd)};
    for (std::size_t byte = 0; byte < 3; ++byte)
      bytes[sizeof(Bytes) - 1 - byte] = static_cast<std::uint8_t>(i >> (8 * byte));
    peers.add(bytes, 8 * sizeof(Bytes));
  }
  return peers;
}

// Packets to `destinations` of the peers, as they come: random. As many destinations as prefixes is
// the worst case: nothing is in a cache.
template <class Bytes>
void lookup(benchmark::State& state, const Peers<Bytes>& peers) {
  const AllowedIps table(peers.allowed);
  std::mt19937 chance(2);
  std::vector<Bytes> packets(kPackets);
  for (auto& packet : packets)
    packet = peers.addresses[chance() % static_cast<std::size_t>(state.range(1))];

  std::size_t at = 0;
  for (auto turn : state) {
    benchmark::DoNotOptimize(table.lookup(packets[at]));
    at = (at + 1) % kPackets;
  }
}

void lookup_v4(benchmark::State& state) {
  lookup(state, networks<V4>(static_cast<std::size_t>(state.range(0))));
}
void lookup_v6(benchmark::State& state) {
  lookup(state, networks<V6>(static_cast<std::size_t>(state.range(0))));
}
void lookup_v4_hosts(benchmark::State& state) {
  lookup(state, hosts<V4>(static_cast<std::size_t>(state.range(0))));
}
void lookup_v6_hosts(benchmark::State& state) {
  lookup(state, hosts<V6>(static_cast<std::size_t>(state.range(0))));
}

void sizes(benchmark::internal::Benchmark* lookups) {
  lookups->Args({1, 1})
      ->Args({1'000, 64})
      ->Args({1'000, 1'000})
      ->Args({10'000, 10'000})
      ->Args({100'000, 64})
      ->Args({100'000, 100'000});
}
BENCHMARK(lookup_v4)->Apply(sizes);
BENCHMARK(lookup_v6)->Apply(sizes);
BENCHMARK(lookup_v4_hosts)->Apply(sizes);
BENCHMARK(lookup_v6_hosts)->Apply(sizes);

}  // namespace
}  // namespace vpntun::dataplane

BENCHMARK_MAIN();

// What finding the peer of an inner address costs, by how many prefixes there are. Google
// Benchmark; run by tests/bench/run, built optimised.
#include "dataplane/allowed_ips.h"

#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <random>
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

// Prefixes of many lengths, as providers announce them, and packets to `destinations` of them, as
// they come: random. As many destinations as prefixes is the worst case: nothing is in a cache.
template <class Bytes>
void lookup(benchmark::State& state) {
  const auto prefixes = static_cast<std::size_t>(state.range(0));
  const auto destinations = static_cast<std::size_t>(state.range(1));
  constexpr unsigned kShortest = sizeof(Bytes) == 4 ? 12 : 28;
  constexpr unsigned kLongest = sizeof(Bytes) == 4 ? 32 : 64;
  std::mt19937 chance(1);
  AllowedIps table;
  std::vector<Bytes> known;
  while (table.size() < prefixes) {
    const auto bytes = random_address<Bytes>(chance);
    const unsigned length =
        kShortest + static_cast<unsigned>(chance()) % (kLongest - kShortest + 1);
    table.insert({address_of(bytes), length}, static_cast<PeerIndex>(known.size()));
    known.push_back(bytes);
  }
  std::vector<Bytes> packets(kPackets);
  for (auto& packet : packets) packet = known[chance() % destinations];

  std::size_t at = 0;
  for (auto turn : state) {
    benchmark::DoNotOptimize(table.lookup(packets[at]));
    at = (at + 1) % kPackets;
  }
}

void lookup_v4(benchmark::State& state) {
  lookup<V4>(state);
}
void lookup_v6(benchmark::State& state) {
  lookup<V6>(state);
}

BENCHMARK(lookup_v4)
    ->Args({1, 1})
    ->Args({1'000, 64})
    ->Args({1'000, 1'000})
    ->Args({10'000, 10'000})
    ->Args({100'000, 64})
    ->Args({100'000, 100'000});
BENCHMARK(lookup_v6)
    ->Args({1, 1})
    ->Args({1'000, 64})
    ->Args({1'000, 1'000})
    ->Args({100'000, 64})
    ->Args({100'000, 100'000});

}  // namespace
}  // namespace vpntun::dataplane

BENCHMARK_MAIN();

// What each packet costs in the cipher, key set before: beside `openssl speed -evp
// chacha20-poly1305 -bytes 1420`, which neither sets a nonce nor has a tag. Google Benchmark; run
// by hand, built optimised.
#include <benchmark/benchmark.h>

#include <array>
#include <vector>

#include "crypto/crypto.h"

namespace vpntun::crypto {
namespace {

std::vector<std::uint8_t> packet_of(benchmark::State& state) {
  return std::vector<std::uint8_t>(static_cast<std::size_t>(state.range(0)) + kTagSize);
}

void seal(benchmark::State& state) {
  std::vector<std::uint8_t> packet = packet_of(state);
  Sealer sealer(SecretKey::generate_preshared().expose());
  std::uint64_t counter = 0;
  for (auto turn : state) sealer.seal(nonce_of(++counter), packet);
}

// With the copy of the sealed packet, which opening would spoil.
void open(benchmark::State& state) {
  std::vector<std::uint8_t> sealed = packet_of(state);
  std::vector<std::uint8_t> packet = sealed;
  const SecretKey key = SecretKey::generate_preshared();
  Sealer(key.expose()).seal(nonce_of(1), sealed);
  Opener opener(key.expose());
  for (auto turn : state) {
    packet = sealed;
    if (!opener.open(nonce_of(1), packet)) state.SkipWithError("not authentic");
  }
}

// The cipher of handshakes, for comparison.
void seal_once(benchmark::State& state) {
  std::vector<std::uint8_t> packet = packet_of(state);
  const SecretKey key = SecretKey::generate_preshared();
  std::uint64_t counter = 0;
  for (auto turn : state) aead_seal(key.expose(), nonce_of(++counter), {}, packet);
}

// As each session does twice.
void make_context(benchmark::State& state) {
  const SecretKey key = SecretKey::generate_preshared();
  for (auto turn : state) {
    Sealer sealer(key.expose());
    benchmark::DoNotOptimize(sealer);
  }
}

BENCHMARK(seal)->Arg(64)->Arg(1420);
BENCHMARK(open)->Arg(64)->Arg(1420);
BENCHMARK(seal_once)->Arg(64)->Arg(1420);
BENCHMARK(make_context);

}  // namespace
}  // namespace vpntun::crypto

BENCHMARK_MAIN();

// What each packet costs in the pure part of the inside port: cutting, merging, checksums. Google
// Benchmark; run by tests/bench/run, built optimised. "ns" is CPU time for one packet.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "base/wire.h"
#include "packet/build.h"
#include "packet/checksum.h"
#include "packet/coalesce.h"
#include "packet/segment.h"

namespace vpntun::packet {
namespace {

constexpr std::size_t kIp = 20;

Bytes payload_of(std::size_t length) {
  Bytes payload(length);
  for (std::size_t i = 0; i < length; ++i) payload[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  return payload;
}

Bytes tcp(std::size_t payload_length, std::uint16_t port, std::uint32_t sequence,
          std::uint16_t id) {
  Bytes segment(20);
  store_be(&segment[0], port);
  store_be(&segment[2], std::uint16_t{5001});
  store_be(&segment[4], sequence);
  segment[12] = 0x50;
  segment[13] = 0x10;
  const Bytes payload = payload_of(payload_length);
  segment.insert(segment.end(), payload.begin(), payload.end());
  const IpFields ip{.source = IpAddress::parse("10.9.0.1").value(),
                    .destination = IpAddress::parse("10.9.0.2").value(),
                    .id = id,
                    .dont_fragment = true};
  store_be(&segment[16], transport_checksum(ip.source, ip.destination, 6, segment));
  return build_ip(ip, 6, segment);
}

void per_packet(benchmark::State& state, std::size_t packets, std::size_t bytes) {
  state.SetItemsProcessed(static_cast<std::int64_t>(packets) * state.iterations());
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
  state.counters["ns"] = benchmark::Counter(
      static_cast<double>(packets) * 1e-9,
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void checksum(benchmark::State& state) {
  const Bytes bytes = payload_of(static_cast<std::size_t>(state.range(0)));
  for (auto turn : state) benchmark::DoNotOptimize(sum_of(bytes));
  per_packet(state, 1, bytes.size());
}

void checksum_and_copy(benchmark::State& state) {
  const Bytes bytes = payload_of(static_cast<std::size_t>(state.range(0)));
  Bytes to(bytes.size());
  for (auto turn : state) benchmark::DoNotOptimize(copy_and_sum(bytes, to.data()));
  per_packet(state, 1, bytes.size());
}

void copy(benchmark::State& state) {
  const Bytes bytes = payload_of(static_cast<std::size_t>(state.range(0)));
  Bytes to(bytes.size());
  for (auto turn : state) {
    std::memcpy(to.data(), bytes.data(), bytes.size());
    benchmark::ClobberMemory();
  }
  per_packet(state, 1, bytes.size());
}

// A superpacket of 64 KB into packets of range(0) bytes.
void segment(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const std::size_t headers = kIp + 20;
  const std::size_t count = (65535 - headers) / (size - headers);
  const Bytes superpacket = tcp(count * (size - headers), 1, 1, 1);
  const Offload offload{.segmentation = Segmentation::kTcp4,
                        .segment_size = static_cast<std::uint16_t>(size - headers),
                        .checksum_missing = true,
                        .checksum_start = kIp,
                        .checksum_offset = 16};
  Bytes room(count * size);
  for (auto turn : state) {
    auto segments = Segments::of(superpacket, offload, Layer::kIp);
    std::size_t at = 0;
    while (const std::size_t length = segments->next(std::span(room).subspan(at))) at += length;
    benchmark::DoNotOptimize(at);
  }
  per_packet(state, count, superpacket.size());
}

// range(0) packets of range(1) bytes, of range(2) flows in turn.
void coalesce(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const auto size = static_cast<std::size_t>(state.range(1));
  const auto flows = static_cast<std::size_t>(state.range(2));
  std::vector<Bytes> bytes;
  std::vector<Packet> packets(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t nth = i / flows;
    bytes.push_back(tcp(size - kIp - 20, static_cast<std::uint16_t>(i % flows),
                        static_cast<std::uint32_t>(nth * (size - kIp - 20)),
                        static_cast<std::uint16_t>(nth)));
    packets[i].bytes = bytes[i];
  }
  Coalescer coalescer(count, Layer::kIp);
  std::size_t writes = 0;
  for (auto turn : state)
    writes = coalescer.coalesce(packets, {.tcp4 = true, .tcp6 = true, .udp = true}).size();
  per_packet(state, count, count * size);
  state.counters["writes"] = static_cast<double>(writes);
}

BENCHMARK(copy)->Arg(64)->Arg(1420);
BENCHMARK(checksum)->Arg(20)->Arg(64)->Arg(1420)->Arg(65535);
BENCHMARK(checksum_and_copy)->Arg(20)->Arg(64)->Arg(1420)->Arg(65535);
BENCHMARK(segment)->Arg(64)->Arg(1420)->Arg(9000);
BENCHMARK(coalesce)
    ->Args({45, 1420, 1})
    ->Args({256, 1420, 8})
    ->Args({256, 64, 1})
    ->Args({256, 64, 256});

}  // namespace
}  // namespace vpntun::packet

BENCHMARK_MAIN();

// What the WireGuard protocol costs without I/O: handshakes and packets a second on one CPU, and
// the memory of idle peers. Prints one line for each; run by hand, built optimised.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <memory>
#include <vector>

#include "crypto/crypto.h"
#include "wg/device.h"

namespace vpntun::wg {
namespace {

// Of CPU time, so that others on the machine count little.
double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

std::size_t resident_bytes() {
  std::size_t all = 0;
  std::size_t resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
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
  // False: it did not arrive.
  bool packet(std::size_t size) {
    const MutableBytes payload = MutableBytes(room_).subspan(kDataHeaderSize, size);
    const auto datagram = from_.seal(peer_, payload, 1420, now_);
    return datagram && to_.receive(*datagram, {}, now_).kind == Arrival::Kind::kData;
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
  std::array<std::uint8_t, 2048> room_{};
};

void handshakes() {
  Pair pair;
  const auto start = cpu_seconds();
  int count = 0;
  for (; cpu_seconds() - start < 2; ++count) pair.handshake();
  std::printf("handshakes, both ends: %.0f a second\n", count / (cpu_seconds() - start));
}

void packets(std::size_t size) {
  Pair pair;
  const auto start = cpu_seconds();
  int count = 0;
  int lost = 0;
  for (; count % 1024 != 0 || cpu_seconds() - start < 2; ++count) lost += !pair.packet(size);
  const double span = cpu_seconds() - start;
  std::printf("packets of %zu bytes, sealed and opened: %.0f ns each, %.2f Gbit/s, %d lost\n", size,
              1e9 * span / count, 8e-9 * static_cast<double>(size) * count / span, lost);
}

void idle_peers(unsigned count) {
  const std::size_t before = resident_bytes();
  const auto start = cpu_seconds();
  const Instant now = BootClock::now();
  Device device({crypto::random_bytes, [] { return std::chrono::nanoseconds(); }});
  device.set_private_key(crypto::SecretKey::generate_private(), now);
  std::vector<crypto::PublicKey> keys(count);
  for (auto& key : keys) {
    crypto::random_bytes(key.bytes);
    device.add({.public_key = key, .preshared_key = {}}, now);
  }
  const double adding = cpu_seconds() - start;
  const std::size_t bytes = resident_bytes() - before;
  const auto looking = cpu_seconds();
  unsigned found = 0;
  for (const auto& key : keys) found += device.find(key) != kNobody;
  std::printf("%u idle peers: %zu KiB, %.2f s to add, %.0f ns to find one of %u\n", count,
              bytes / 1024, adding, 1e9 * (cpu_seconds() - looking) / count, found);
}

}  // namespace
}  // namespace vpntun::wg

int main() {
  using namespace vpntun::wg;
  for (const unsigned count : {1u, 1'000u, 10'000u}) idle_peers(count);
  handshakes();
  for (const std::size_t size : {64u, 1420u}) packets(size);
}

// The real data plane without the daemon around it: bench_worker INTERFACE PORT PEER_ENDPOINT
// [OWN OTHER]. Encrypted when both ends are numbered: an end's private key is 32 bytes of its
// number. Ends on SIGTERM.
#include <signal.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "dataplane/worker.h"
#include "os/tun.h"
#include "os/udp.h"

namespace {

vpntun::crypto::SecretKey key_of(const char* number) {
  std::array<std::uint8_t, vpntun::crypto::kKeySize> bytes{};
  bytes.fill(static_cast<std::uint8_t>(std::atoi(number)));
  return vpntun::crypto::SecretKey(bytes);
}

}  // namespace

int main(int argc, char** argv) try {
  using namespace vpntun;
  if (argc != 4 && argc != 6)
    throw Error(ErrorKind::kInvalidArguments, "INTERFACE PORT PEER_ENDPOINT [OWN OTHER]");
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop, nullptr);

  dataplane::WorkerOptions options;
  options.listen_port = static_cast<std::uint16_t>(std::atoi(argv[2]));
  options.encrypted = argc == 6;
  dataplane::Worker worker(
      std::make_unique<os::Tun>(os::Tun::open(argv[1], os::TunKind::kTun)),
      std::make_unique<os::UdpSocket>(os::UdpSocket::bind(options.listen_port)), options);
  dataplane::PeerConfig peer;
  peer.name = "other";
  peer.learns = false;
  peer.endpoint = Endpoint::parse(argv[3]);
  peer.allowed_ips = {*IpPrefix::parse("0.0.0.0/0")};
  if (options.encrypted) {
    peer.learns = true;
    peer.keys.public_key = crypto::public_key_of(key_of(argv[5]));
    worker.set_private_key(key_of(argv[4]));
    worker.set_mtu(1420);
  }
  worker.set_peers({peer});
  worker.start();

  int signal = 0;
  sigwait(&stop, &signal);
  worker.stop();
  for (const dataplane::Drop& drop : worker.snapshot().drops)
    std::fprintf(stderr, "%s: %s %llu (%s)\n", argv[1], std::string(code(drop.reason)).c_str(),
                 static_cast<unsigned long long>(drop.packets), drop.last.c_str());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bench_worker: %s\n", error.what());
  return 1;
}

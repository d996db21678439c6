// The real data plane without the daemon around it: bench_worker INTERFACE PORT PEER_ENDPOINT. Ends
// on SIGTERM.
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "dataplane/worker.h"
#include "os/tun.h"
#include "os/udp.h"

int main(int argc, char** argv) try {
  using namespace vpntun;
  if (argc != 4) throw Error(ErrorKind::kInvalidArguments, "INTERFACE PORT PEER_ENDPOINT");
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop, nullptr);

  dataplane::WorkerOptions options;
  options.listen_port = static_cast<std::uint16_t>(std::atoi(argv[2]));
  dataplane::Worker worker(
      std::make_unique<os::Tun>(os::Tun::open(argv[1], os::TunKind::kTun)),
      std::make_unique<os::UdpSocket>(os::UdpSocket::bind(options.listen_port)), options);
  dataplane::PeerConfig peer;
  peer.name = "other";
  peer.learns = false;
  peer.endpoint = Endpoint::parse(argv[3]);
  peer.allowed_ips = {*IpPrefix::parse("0.0.0.0/0")};
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

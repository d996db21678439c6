// What passes on the lab's interfaces: AF_PACKET captures of all three hosts, searched by the tasks
// and written as one pcapng with an interface for each. Callers: stage, tasks. Thread: the only
// one.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ctl/lab/topology.h"
#include "os/packet_socket.h"

namespace vpntun::lab {

enum class Way { kIn, kOut };  // into or out of the host, as the host sees it

struct Seen {
  Host host = Host::kU;
  std::string interface;
  Way way = Way::kIn;
  std::chrono::sys_time<std::chrono::nanoseconds> time;
  bool ethernet = false;
  std::vector<std::uint8_t> bytes;

  // The IP packet, without the Ethernet header; empty when there is none.
  std::span<const std::uint8_t> ip() const noexcept;
  // "U eth0 out  10.0.2.7:40112 --> 10.0.2.8:9090 UDP len 84"
  std::string text() const;
};

// The payload of a tunnel datagram (UDP from or to port 9090); empty when the packet is none.
std::span<const std::uint8_t> tunnel_payload(std::span<const std::uint8_t> ip) noexcept;

// A packet to look for. Empty addresses: any.
struct Pattern {
  enum class What {
    kAny,
    kEchoRequest,
    kEchoReply,
    kUnreachable,
    kTcp,
    kTcpWithPayload,
    kArpRequest,
    kBytes,
    kContains,
    kWireguardData
  };
  What what = What::kAny;
  std::string source;
  std::string destination;
  bool in_tunnel = false;  // it lies in a UDP datagram of the tunnel
  std::string bytes = {};  // with kBytes: the whole packet; with kContains: a part of it

  bool matches(const Seen& seen) const;
};

Pattern echo_request(std::string_view source, std::string_view destination);
Pattern echo_reply(std::string_view source, std::string_view destination);
Pattern in_tunnel(Pattern pattern);
// A packet with these bytes anywhere in it.
Pattern containing(std::string_view bytes);
// A datagram of the tunnel that is transport data of WireGuard (type 4) and carries a packet: no
// keepalive.
Pattern wireguard_data();

class Captures {
 public:
  // Captures on every interface of the host that is not captured on yet, but lo.
  void open(Host host);
  // Takes over what waits in the sockets.
  void take();
  std::vector<int> fds() const;

  // A place in the capture, behind all that passed until now: later searches can begin there.
  std::size_t mark() {
    take();
    return seen_.size();
  }
  // The first match; nullptr: none. Valid until the next take().
  const Seen* find(Host host, std::string_view interface, Way way, const Pattern& pattern,
                   std::size_t from = 0) const;
  std::size_t count(Host host, std::string_view interface, Way way, const Pattern& pattern,
                    std::size_t from = 0) const;
  // In order of time. Throws Error.
  void write(const std::string& path) const;

 private:
  struct Source {
    Host host;
    std::string interface;
    unsigned index;
    os::PacketSocket socket;
  };
  struct Known {  // one interface block of the file
    Host host;
    std::string interface;
    bool ethernet;
    bool operator==(const Known&) const = default;
  };
  std::vector<Source> sources_;
  std::vector<Seen> seen_;
  std::vector<Known> known_;
};

}  // namespace vpntun::lab

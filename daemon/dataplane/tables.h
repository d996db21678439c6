// Everything that workers' batch functions look at and change. Thread: the worker that holds the
// mutex; the counters may be read by any.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "base/time.h"
#include "dataplane/capture.h"
#include "dataplane/counters.h"
#include "dataplane/mac_table.h"
#include "dataplane/peer_table.h"

namespace vpntun::dataplane {

using Hold = std::lock_guard<std::mutex>;

struct Tables {
  Tables(bool frames_inside, bool public_allowed, const CaptureSource& source, std::uint64_t seed)
      : frames(frames_inside),
        allow_public_plaintext(public_allowed),
        macs(seed, 0),
        captures(source) {}

  std::mutex mutex;
  const bool frames;  // TAP: Ethernet frames; else IP packets
  bool allow_public_plaintext;
  std::uint32_t mtu = 0;  // of the interface, bytes of an IP packet; 0: unknown
  PeerTable peers;
  MacTable macs;
  TrafficCounter traffic;  // of all peers
  DropCounters drops;
  Captures captures;
  std::vector<PeerIndex> news;  // peers of which something is to be announced
  Instant now{};                // when the latest turn of a worker began

  // places: where those in use before are in the new table.
  void replace_peers(PeerTable wanted, std::span<const PeerIndex> places) {
    wanted.follow(peers, places, now);
    peers = std::move(wanted);
    macs.renumber(places, peers.size());
    for (PeerIndex& peer : news) peer = places[peer];
    std::erase(news, kNoPeer);
    news.reserve(peers.size());
  }

  // A datagram came from the peer at a new place.
  void move_peer(PeerIndex peer, const packet::Packet& datagram) noexcept {
    if (peers.move(peer, datagram.remote, datagram.local)) announce(peer);
  }
  void announce(PeerIndex peer) noexcept {
    if (peers[peer].record->start_announcing()) news.push_back(peer);
  }

  // bytes: of the datagram. carries: a packet, and not a message of the protocol itself.
  void count_rx(PeerIndex peer, std::size_t bytes, bool carries) noexcept {
    traffic.count_rx(bytes, carries, now);
    peers[peer].record->traffic.count_rx(bytes, carries, now);
  }
  void count_tx(const packet::Packet& datagram, bool carries) noexcept {
    traffic.count_tx(datagram.bytes.size(), carries, now);
    peers[datagram.peer].record->traffic.count_tx(datagram.bytes.size(), carries, now);
  }
};

}  // namespace vpntun::dataplane

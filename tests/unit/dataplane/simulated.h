// Simulated ports and a data plane without a thread: what the tests put in on one side they find on
// the other.
#pragma once

#include <cerrno>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/inbound.h"
#include "dataplane/outbound.h"
#include "dataplane/plain.h"
#include "dataplane/tables.h"
#include "dataplane/wireguard.h"
#include "packet/build.h"
#include "packet/ports.h"

namespace vpntun::dataplane {

using Bytes = std::vector<std::uint8_t>;

inline Endpoint endpoint(const std::string& text) {
  return *Endpoint::parse(text);
}
inline IpAddress address(const std::string& text) {
  return *IpAddress::parse(text);
}
inline MacAddress mac(const std::string& text) {
  return *MacAddress::parse(text);
}
inline Bytes bytes_of(const packet::Packet& packet) {
  return {packet.bytes.begin(), packet.bytes.end()};
}

// An IPv4 or IPv6 UDP packet with `size` bytes of payload.
inline Bytes ip_packet(const std::string& source, const std::string& destination,
                       std::size_t size = 32, bool dont_fragment = false) {
  packet::IpFields ip;
  ip.source = address(source);
  ip.destination = address(destination);
  ip.dont_fragment = dont_fragment;
  ip.id = 7;
  return packet::build_udp(ip, 1000, 2000, Bytes(size, 0x5a));
}

inline Bytes frame(const std::string& source, const std::string& destination,
                   const Bytes& payload = ip_packet("10.9.0.1", "10.9.0.2")) {
  return packet::build_frame(mac(destination), mac(source), 0x0800, payload);
}

// For a batch of the largest packets.
inline constexpr std::size_t kPortMemory =
    packet::kBatchSize * (packet::kMaxPacket + packet::kHeadroom + packet::kTailroom);

class SimulatedInside final : public packet::InsidePort {
 public:
  std::deque<Bytes> waiting;
  std::vector<Bytes> written;
  std::size_t reads = 0;
  bool gone = false;
  packet::SendVerdict verdict = packet::SendVerdict::kSent;
  int error_number = 0;

  int fd() const noexcept override { return -1; }
  packet::Reading receive(packet::Batch& batch) noexcept override {
    ++reads;
    memory_.clear();
    for (; !waiting.empty() && !batch.full(); waiting.pop_front())
      batch.append_view(memory_.append_copy(waiting.front()));
    if (!waiting.empty()) return packet::Reading::kMore;
    return gone ? packet::Reading::kGone : packet::Reading::kDrained;
  }
  void send(packet::Batch& batch) noexcept override {
    for (packet::Packet& packet : batch.packets()) {
      packet.verdict = verdict;
      packet.error_number = error_number;
      if (verdict == packet::SendVerdict::kSent) written.push_back(bytes_of(packet));
    }
  }

 private:
  packet::Batch memory_{packet::kBatchSize, kPortMemory};
};

struct Datagram {
  Bytes bytes;
  Endpoint remote;
  IpAddress local;
  bool may_be_cut = false;
  std::uint8_t traffic_class = 0;
};

class SimulatedOutside final : public packet::OutsidePort {
 public:
  std::deque<Datagram> waiting;
  std::vector<Datagram> sent;
  std::size_t room = SIZE_MAX;  // datagrams that still fit in the queue
  std::uint32_t path_mtu = 0;   // of the outer packet; 0: all fit
  bool tell_path_mtu = true;
  bool refuse = false;
  bool lose = false;  // behind the socket

  int fd() const noexcept override { return -1; }
  packet::Reading receive(packet::Batch& batch) noexcept override {
    memory_.clear();
    for (; !waiting.empty() && !batch.full(); waiting.pop_front()) {
      packet::Packet& packet = batch.append_view(memory_.append_copy(waiting.front().bytes));
      packet.remote = waiting.front().remote;
      packet.local = waiting.front().local;
      packet.traffic_class = waiting.front().traffic_class;
    }
    return waiting.empty() ? packet::Reading::kDrained : packet::Reading::kMore;
  }
  void send(packet::Batch& batch) noexcept override {
    for (packet::Packet& packet : batch.packets()) packet.verdict = judge(packet);
  }

 private:
  packet::SendVerdict judge(packet::Packet& packet) noexcept {
    const std::size_t outer = packet.bytes.size() + (packet.remote.address.is_v4() ? 28 : 48);
    if (refuse) return packet::SendVerdict::kRefused;
    if (lose) return packet::SendVerdict::kQueueFull;
    if (path_mtu != 0 && outer > path_mtu && !packet.may_be_cut) {
      packet.path_mtu = tell_path_mtu ? path_mtu : 0;
      return packet::SendVerdict::kTooBig;
    }
    if (room == 0) return packet::SendVerdict::kWouldBlock;
    --room;
    sent.push_back(
        {bytes_of(packet), packet.remote, packet.local, packet.may_be_cut, packet.traffic_class});
    return packet::SendVerdict::kSent;
  }

  packet::Batch memory_{packet::kBatchSize, kPortMemory};
};

struct Simulation {
  explicit Simulation(bool frames, bool allow_public = false)
      : tables(frames, allow_public, CaptureSource{frames, 9090, address("10.0.2.8")}, 42) {
    tables.now = Instant(std::chrono::hours(1));
  }

  void peers(const std::vector<PeerConfig>& configs) {
    std::vector<std::shared_ptr<PeerRecord>> records;
    for (std::size_t i = 0; i < configs.size(); ++i)
      records.push_back(std::make_shared<PeerRecord>());
    replace(configs, records);
  }
  // As a worker does it, between two batches.
  void replace(const std::vector<PeerConfig>& configs,
               const std::vector<std::shared_ptr<PeerRecord>>& records) {
    PeerTable wanted(configs, records);
    const std::vector<PeerIndex> places = wanted.places_of(tables.peers);
    outbound.follow(places);
    tables.replace_peers(std::move(wanted), places);
  }
  // One packet through each direction; what happened is read off the ports and counters.
  void from_inside(const Bytes& bytes) {
    inside.waiting.push_back(bytes);
    outbound.run(1000);
  }
  void from_outside(const Bytes& bytes, const std::string& remote,
                    const std::string& local = "10.0.2.8") {
    outside.waiting.push_back({bytes, endpoint(remote), address(local)});
    inbound.run(1000);
  }
  void wait(Duration time) { tables.now += time; }

  std::uint64_t drops(DropReason reason) const { return tables.drops.packets(reason); }
  std::uint64_t all_drops() const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < kDropReasonCount; ++i) sum += drops(static_cast<DropReason>(i));
    return sum;
  }
  std::string last(DropReason reason) const {
    for (const Drop& drop : tables.drops.read(tables.frames))
      if (drop.reason == reason) return drop.last;
    return "";
  }
  std::optional<Endpoint> endpoint_of(PeerIndex peer) const { return tables.peers[peer].endpoint; }
  Traffic traffic_of(PeerIndex peer) const { return tables.peers[peer].record->traffic.read(); }

  Tables tables;
  SimulatedInside inside;
  SimulatedOutside outside;
  Plain plain{tables};
  Outbound outbound{tables, plain, inside, outside};
  Inbound inbound{tables, plain, inside, outside, outbound};
};

inline PeerConfig configured(const std::string& name, const std::string& at,
                             const std::vector<std::string>& allowed = {}) {
  PeerConfig peer;
  peer.name = name;
  peer.learns = false;
  peer.endpoint = endpoint(at);
  for (const std::string& prefix : allowed) peer.allowed_ips.push_back(*IpPrefix::parse(prefix));
  return peer;
}

inline PeerConfig learned(const std::string& name, const std::vector<std::string>& allowed = {}) {
  PeerConfig peer = configured(name, "10.255.255.255:1", allowed);
  peer.learns = true;
  peer.endpoint.reset();
  return peer;
}

}  // namespace vpntun::dataplane

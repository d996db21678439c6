// Segmentation and coalescing undo each other: what any mixture of flows looks like on the wire is
// not changed by them.
#include <array>
#include <map>
#include <tuple>

#include "packet/coalesce.h"
#include "packet/segment.h"
#include "traffic.h"

namespace vpntun::packet {
namespace {

constexpr Coalescer::Mergeable kAll{.tcp4 = true, .tcp6 = true, .udp = true};

std::vector<Bytes> cut(const Bytes& superpacket, const Offload& offload, Layer layer) {
  std::vector<Bytes> pieces;
  auto segments = Segments::of(superpacket, offload, layer);
  EXPECT_TRUE(segments);
  if (!segments) return pieces;
  while (segments->left() != 0) {
    Bytes& piece = pieces.emplace_back(segments->largest());
    piece.resize(segments->next(piece));
  }
  return pieces;
}

struct Written {
  std::vector<std::size_t> indexes;
  std::vector<Bytes> on_the_wire;  // what the kernel makes of it
  Bytes bytes;                     // with the merged header
};

std::vector<Written> written(const std::vector<Bytes>& packets, Layer layer) {
  std::vector<Bytes> copies = packets;
  std::vector<Packet> batch(packets.size());
  for (std::size_t i = 0; i < packets.size(); ++i) batch[i].bytes = copies[i];
  Coalescer coalescer(packets.size(), layer);
  std::vector<Written> result;
  for (const auto& write : coalescer.coalesce(batch, kAll)) {
    Written& one = result.emplace_back();
    one.bytes.assign(write.header.begin(), write.header.end());
    std::uint16_t index = write.first;
    for (std::size_t i = 0; i < write.count; ++i, index = coalescer.after(index)) {
      one.indexes.push_back(index);
      const auto piece = batch.at(index).bytes.subspan(write.header.size());
      one.bytes.insert(one.bytes.end(), piece.begin(), piece.end());
    }
    if (write.count == 1)
      one.on_the_wire = {one.bytes};
    else
      one.on_the_wire = cut(one.bytes, write.offload, layer);
  }
  EXPECT_EQ(copies, packets);
  return result;
}

struct Traffic {
  Layer layer = Layer::kIp;
  std::vector<Bytes> packets;
  std::vector<bool> obscure;  // may be of any flow
};

// A packet that is no simple one of a flow: sets whether nothing may pass it.
Bytes stranger(Chance& chance, const Shape& shape, bool& obscure) {
  obscure = true;
  Bytes packet = packet_of(shape, chance.bytes(50));
  switch (chance.between(0, 3)) {
    case 0:
      if (shape.v4)
        packet[shape.network() + 7] = 3;  // a later fragment
      else
        packet[shape.network() + 6] = 44;  // a fragment, of nothing in particular
      return packet;
    case 1:
      packet.resize(chance.between(shape.network() + 1, packet.size() - 1));
      return packet;
    case 2:
      packet[shape.network() + (shape.v4 ? 9 : 6)] = shape.v4 ? 1 : 58;
      obscure = !shape.ip_options.empty();
      return packet;
    default:
      packet[shape.network()] ^= 0x90;
      return packet;
  }
}

// Superpackets of a few flows, cut and shuffled without changing the order within a flow; some
// packets damaged, some strangers between them.
Traffic random_traffic(Chance& chance) {
  Traffic traffic;
  std::vector<Shape> shapes(chance.between(1, 6));
  const bool ethernet = chance.between(0, 2) == 0;
  for (Shape& shape : shapes) {
    shape = random_shape(chance);
    if (chance.between(0, 2) != 0) shape.flags &= 0x59;  // neither FIN nor URG nor CWR
    shape.ethernet = ethernet ? ethernet_header(chance.between(0, 1) != 0) : Bytes{};
    traffic.layer = layer_of(shape);
  }
  std::vector<std::vector<Bytes>> queues(shapes.size());
  for (std::size_t i = 0; i < shapes.size(); ++i)
    for (std::size_t n = chance.between(1, 3); n > 0; --n) {
      const Bytes payload = chance.bytes(chance.between(1, 4000));
      const std::size_t size = chance.between(payload.size() / 40 + 1, payload.size() + 1);
      for (Bytes& piece :
           cut(unfinished(shapes[i], payload), offload_of(shapes[i], size), traffic.layer)) {
        queues[i].push_back(std::move(piece));
        ++shapes[i].id;
      }
      shapes[i].sequence += static_cast<std::uint32_t>(payload.size());
    }
  std::vector<std::size_t> next(queues.size());
  const std::size_t burst = chance.between(1, 10);
  for (;;) {
    std::vector<std::size_t> waiting;
    for (std::size_t i = 0; i < queues.size(); ++i)
      if (next[i] < queues[i].size()) waiting.push_back(i);
    if (waiting.empty()) break;
    const std::size_t chosen = waiting[chance.between(0, waiting.size() - 1)];
    for (std::size_t n = chance.between(1, burst); n > 0 && next[chosen] < queues[chosen].size();
         --n) {
      bool obscure = false;
      if (chance.between(0, 30) == 0) {
        const Shape& shape = shapes[chance.between(0, shapes.size() - 1)];
        traffic.packets.push_back(stranger(chance, shape, obscure));
        traffic.obscure.push_back(obscure);
      }
      const Shape& shape = shapes[chosen];
      Bytes packet = queues[chosen][next[chosen]++];
      if (chance.between(0, 20) == 0)
        packet[chance.between(shape.headers(), packet.size() - 1)] ^= 1;  // a wrong checksum
      traffic.obscure.push_back(!shape.ip_options.empty() || !shape.extensions.empty());
      traffic.packets.push_back(std::move(packet));
    }
  }
  return traffic;
}

// Addresses, ports and protocol; equal for packets that might be of one flow. Reads like a slow
// reference: no shortcuts.
Bytes flow_of(const Bytes& packet, Layer layer) {
  const auto ip = IpView::parse(layer == Layer::kIp ? std::span<const std::uint8_t>(packet)
                                                    : ip_of_frame(packet));
  if (!ip) return {};
  Bytes flow;
  for (const IpAddress& address : {ip->source(), ip->destination()})
    flow.insert(flow.end(), address.bytes().begin(), address.bytes().end());
  flow.push_back(ip->protocol());
  for (std::size_t i = 0; i < 4 && i < ip->payload().size(); ++i) flow.push_back(ip->payload()[i]);
  return flow;
}

TEST(OffloadProperty, TheWireLooksAsIfNothingHadBeenMerged) {
  Chance chance;
  PRINT_SEED(chance);
  std::size_t packets = 0;
  std::size_t writes = 0;
  for (int round = 0; round < 600; ++round) {
    const Traffic traffic = random_traffic(chance);
    std::map<Bytes, std::vector<Bytes>> before;
    std::map<Bytes, std::vector<Bytes>> after;
    for (const Bytes& packet : traffic.packets)
      before[flow_of(packet, traffic.layer)].push_back(packet);
    for (const Written& write : written(traffic.packets, traffic.layer)) {
      ++writes;
      ASSERT_EQ(write.indexes.size(), write.on_the_wire.size());
      for (const Bytes& packet : write.on_the_wire)
        after[flow_of(packet, traffic.layer)].push_back(packet);
    }
    packets += traffic.packets.size();
    ASSERT_EQ(after, before) << "round " << round;
  }
  EXPECT_LT(writes, packets * 3 / 4) << "something was merged";
}

TEST(OffloadProperty, NothingPassesWhatMayBeOfItsFlow) {
  Chance chance;
  PRINT_SEED(chance);
  for (int round = 0; round < 300; ++round) {
    const Traffic traffic = random_traffic(chance);
    std::vector<std::size_t> order;
    for (const Written& write : written(traffic.packets, traffic.layer))
      order.insert(order.end(), write.indexes.begin(), write.indexes.end());
    ASSERT_EQ(order.size(), traffic.packets.size());
    std::vector<std::size_t> place(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) place[order[i]] = i;
    for (std::size_t i = 0; i < place.size(); ++i) {
      if (!traffic.obscure[i]) continue;
      for (std::size_t j = 0; j < place.size(); ++j)
        ASSERT_EQ(j < i, place[j] < place[i]) << "packets " << i << " and " << j;
    }
  }
}

TEST(OffloadProperty, AnUndisturbedSuperpacketComesOutAsItWas) {
  Chance chance;
  PRINT_SEED(chance);
  for (int round = 0; round < 300; ++round) {
    Shape shape = random_shape(chance);
    shape.flags &= static_cast<std::uint8_t>(~(TcpView::kUrg | TcpView::kCwr));
    shape.ip_options.clear();
    shape.extensions.clear();
    const Bytes payload = chance.bytes(chance.between(2, round % 20 == 0 ? 64000 : 8000));
    const std::size_t size = chance.between(payload.size() / 60 + 1, payload.size() - 1);
    const Bytes superpacket = unfinished(shape, payload);
    const Offload offload = offload_of(shape, size);
    const auto result = written(cut(superpacket, offload, layer_of(shape)), layer_of(shape));
    ASSERT_EQ(result.size(), 1u) << "round " << round;
    ASSERT_EQ(result[0].bytes, superpacket);
  }
}

// Everything hostile: random changes to well-formed traffic never lose, add or alter a packet.
TEST(OffloadProperty, DamagedHeadersArePassedOn) {
  Chance chance;
  PRINT_SEED(chance);
  for (int round = 0; round < 600; ++round) {
    Traffic traffic = random_traffic(chance);
    for (Bytes& packet : traffic.packets) {
      if (chance.between(0, 3) != 0) continue;
      packet[chance.between(0, std::min<std::size_t>(packet.size(), 70) - 1)] = chance.byte();
      if (chance.between(0, 3) == 0) packet.resize(chance.between(0, packet.size()));
    }
    std::vector<int> seen(traffic.packets.size());
    for (const Written& write : written(traffic.packets, traffic.layer))
      for (std::size_t i = 0; i < write.indexes.size(); ++i) {
        ++seen[write.indexes[i]];
        ASSERT_EQ(write.on_the_wire[i], traffic.packets[write.indexes[i]]);
      }
    ASSERT_EQ(seen, std::vector<int>(seen.size(), 1));
  }
}

}  // namespace
}  // namespace vpntun::packet

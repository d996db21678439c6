// What peers send, on its way into the interface: one byte whose lowest bit chooses the layer and
// whose next one has the checksums set right, so that merging is reached; then packets, each behind
// its length in two bytes. No packet may be lost, added, changed, or pass one of its own flow.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <vector>

#include "base/wire.h"
#include "packet/checksum.h"
#include "packet/coalesce.h"
#include "packet/ip_view.h"
#include "packet/segment.h"

namespace vpntun::packet {
namespace {

using Bytes = std::vector<std::uint8_t>;

// Ends the run as a finding.
void require(bool holds) {
  if (!holds) std::abort();
}

std::span<const std::uint8_t> ip_of(const Bytes& bytes, Layer layer) {
  return layer == Layer::kIp ? std::span<const std::uint8_t>(bytes) : ip_of_frame(bytes);
}

void correct_checksums(Bytes& bytes, Layer layer) {
  const auto packet = ip_of(bytes, layer);
  const auto ip = IpView::parse(packet);
  if (!ip || ip->is_fragment()) return;
  std::uint8_t* at = bytes.data() + (packet.data() - bytes.data());
  if (ip->is_v4()) {
    store_be(at + 10, std::uint16_t{0});
    store_be(at + 10, internet_checksum(ip->header()));
  }
  const bool tcp = ip->protocol() == kProtocolTcp;
  if ((!tcp && ip->protocol() != kProtocolUdp) || ip->payload().size() < (tcp ? 20u : 8u)) return;
  std::uint8_t* field = at + ip->header_length() + (tcp ? 16 : 6);
  store_be(field, std::uint16_t{0});
  store_be(field,
           transport_checksum(ip->source(), ip->destination(), ip->protocol(), ip->payload()));
}

// Equal for packets of one flow; packets of no flow have one of their own.
Bytes flow_of(const Bytes& bytes, Layer layer) {
  const auto ip = IpView::parse(ip_of(bytes, layer));
  if (!ip || ip->payload().size() < 4) return {};
  Bytes flow{ip->protocol()};
  for (const IpAddress& address : {ip->source(), ip->destination()})
    flow.insert(flow.end(), address.bytes().begin(), address.bytes().end());
  flow.insert(flow.end(), ip->payload().begin(), ip->payload().begin() + 4);
  return flow;
}

void check_write(const Coalescer& coalescer, const Coalescer::Write& write,
                 const std::vector<Bytes>& packets, Layer layer, std::vector<std::size_t>& order) {
  Bytes whole(write.header.begin(), write.header.end());
  std::vector<std::size_t> indexes;
  std::uint16_t index = write.first;
  for (std::size_t i = 0; i < write.count; ++i, index = coalescer.after(index)) {
    const Bytes& packet = packets.at(index);
    require(packet.size() > write.header.size() || write.count == 1);
    whole.insert(whole.end(), packet.begin() + static_cast<std::ptrdiff_t>(write.header.size()),
                 packet.end());
    indexes.push_back(index);
  }
  order.insert(order.end(), indexes.begin(), indexes.end());
  if (write.count == 1) return;
  auto segments = Segments::of(whole, write.offload, layer);
  require(segments && segments->left() == write.count);
  for (const std::size_t each : indexes) {
    Bytes piece(segments->largest());
    piece.resize(segments->next(piece));
    // Where nobody may cut it, the identification may be another one than it was.
    const std::size_t id = static_cast<std::size_t>(ip_of(piece, layer).data() - piece.data()) + 4;
    Bytes wanted = packets[each];
    require(wanted.size() == piece.size());
    if (wanted[id - 4] >> 4 == 4 && (wanted[id + 2] & 0x40) != 0) {
      std::copy_n(&piece[id], 2, &wanted[id]);
      correct_checksums(wanted, layer);
      correct_checksums(piece, layer);
    }
    require(piece == wanted);
  }
}

void check(std::vector<Bytes> packets, Layer layer) {
  const std::vector<Bytes> before = packets;
  std::vector<Packet> batch(packets.size());
  for (std::size_t i = 0; i < packets.size(); ++i) batch[i].bytes = packets[i];
  Coalescer coalescer(packets.size(), layer);
  std::vector<std::size_t> order;
  for (const auto& write : coalescer.coalesce(batch, {.tcp4 = true, .tcp6 = true, .udp = true}))
    check_write(coalescer, write, before, layer, order);
  require(packets == before);
  std::map<Bytes, std::size_t> latest;
  for (const std::size_t index : order) {
    const Bytes flow = flow_of(before[index], layer);
    const auto [place, is_new] = latest.try_emplace(flow, index);
    if (!flow.empty()) require(is_new || place->second < index);
    place->second = index;
  }
  std::sort(order.begin(), order.end());
  require(order.size() == packets.size());
  for (std::size_t i = 0; i < order.size(); ++i) require(order[i] == i);
}

}  // namespace
}  // namespace vpntun::packet

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace packet = vpntun::packet;
  if (size == 0) return 0;
  const packet::Layer layer = data[0] % 2 == 0 ? packet::Layer::kIp : packet::Layer::kEthernet;
  const bool correct = (data[0] & 2) != 0;
  std::vector<packet::Bytes> packets;
  for (std::span<const std::uint8_t> rest(data + 1, size - 1); rest.size() >= 2;) {
    const std::size_t length =
        std::min<std::size_t>(vpntun::load_be<std::uint16_t>(rest.data()), rest.size() - 2);
    packet::Bytes& bytes = packets.emplace_back(
        rest.begin() + 2, rest.begin() + 2 + static_cast<std::ptrdiff_t>(length));
    if (correct) packet::correct_checksums(bytes, layer);
    rest = rest.subspan(2 + length);
  }
  packet::check(packets, layer);
  return 0;
}

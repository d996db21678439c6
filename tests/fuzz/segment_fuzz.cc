// What the kernel hands over with segmentation left undone, over arbitrary bytes: one byte whose
// lowest bit chooses the layer, the vnet header, the packet. Whatever is cut must be made of valid
// packets, and merge and be cut again to the same.
#include <cstdlib>
#include <vector>

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

void complete(Bytes packet, const Offload& offload, Layer layer) {
  const Bytes before = packet;
  if (complete_checksum(packet, offload, layer)) return;
  require(packet == before);
}

std::vector<Bytes> cut(const Bytes& superpacket, const Offload& offload, Layer layer) {
  std::vector<Bytes> pieces;
  auto segments = Segments::of(superpacket, offload, layer);
  while (segments && segments->left() != 0) {
    Bytes& piece = pieces.emplace_back(segments->largest());  // exactly: not a byte more
    piece.resize(segments->next(piece));
    require(!piece.empty());
    if (layer == Layer::kIp) require(IpView::parse(piece).has_value());
  }
  return pieces;
}

void merge_again(std::vector<Bytes> pieces, Layer layer) {
  pieces.resize(std::min<std::size_t>(pieces.size(), 1000));
  std::vector<Packet> packets(pieces.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) packets[i].bytes = pieces[i];
  Coalescer coalescer(packets.size(), layer);
  std::size_t taken = 0;
  for (const auto& write : coalescer.coalesce(packets, {.tcp4 = true, .tcp6 = true, .udp = true})) {
    Bytes whole(write.header.begin(), write.header.end());
    std::vector<Bytes> wanted;
    std::uint16_t index = write.first;
    for (std::size_t i = 0; i < write.count; ++i, index = coalescer.after(index)) {
      const auto rest = packets.at(index).bytes.subspan(write.header.size());
      whole.insert(whole.end(), rest.begin(), rest.end());
      wanted.push_back(pieces[index]);
    }
    taken += write.count;
    if (write.count > 1) require(cut(whole, write.offload, layer) == wanted);
  }
  require(taken == packets.size());
}

}  // namespace
}  // namespace vpntun::packet

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace packet = vpntun::packet;
  if (size < 1 + packet::kVnetHeader) return 0;
  const packet::Layer layer = data[0] % 2 == 0 ? packet::Layer::kIp : packet::Layer::kEthernet;
  const auto offload = packet::decode_vnet_header(
      std::span<const std::uint8_t, packet::kVnetHeader>(data + 1, packet::kVnetHeader));
  if (!offload) return 0;
  const packet::Bytes bytes(data + 1 + packet::kVnetHeader, data + size);
  packet::complete(bytes, *offload, layer);
  packet::merge_again(packet::cut(bytes, *offload, layer), layer);
  return 0;
}

// Everything in packet/ that reads bytes from outside, over arbitrary bytes. The first byte chooses
// an mtu, the rest is taken as an IP packet, as an Ethernet frame and as a pcapng stream.
#include <cstdlib>
#include <string_view>
#include <vector>

#include "packet/describe.h"
#include "packet/ethernet.h"
#include "packet/fragment.h"
#include "packet/icmp.h"
#include "packet/ip_view.h"
#include "packet/pcapng.h"

namespace vpntun::packet {
namespace {

using Input = std::span<const std::uint8_t>;

// Ends the run as a finding.
void require(bool holds) {
  if (!holds) std::abort();
}

bool is_printable(std::string_view line) {
  for (const char c : line)
    if (c < 0x20 || c > 0x7e) return false;
  return !line.empty();
}

void read_views(Input bytes) {
  for (const auto& view : {IpView::parse(bytes), IpView::parse_quoted(bytes)}) {
    if (!view) continue;
    require(view->header_length() + view->payload().size() == view->bytes().size());
    require(view->source().family() == view->family());
    require(view->destination().family() == view->family());
    if (const auto tcp = TcpView::parse(view->payload()))
      require(tcp->payload().size() < view->payload().size());
    if (const auto udp = UdpView::parse(view->payload())) udp->length_fits();
  }
  if (const auto arp = ArpView::parse(bytes)) arp->target_ip();
}

void say_in_words(Input bytes) {
  for (const Layer layer : {Layer::kIp, Layer::kEthernet}) {
    require(is_printable(describe(bytes, layer)));
    require(is_printable(describe_flow(bytes, layer)));
    require(hex_dump(bytes, layer, 64).empty() == false);
  }
}

void answer(Input bytes, std::uint32_t mtu) {
  std::vector<std::uint8_t> out(kMaxTooBig);
  out.resize(build_too_big(bytes, mtu, out));
  if (!out.empty()) {
    require(IpView::parse(out).has_value());
    std::vector<std::uint8_t> again(kMaxTooBig);
    require(build_too_big(out, mtu, again) == 0);  // an error is never answered
  }
  std::vector<std::uint8_t> frame(kMaxTooBigFrame);
  require(build_too_big_frame(bytes, mtu, frame) <= frame.size());
}

void cut(Input bytes, std::size_t mtu) {
  auto fragments = Ipv4Fragments::of(bytes, mtu);
  if (!fragments) return;
  std::size_t total = 0;
  while (const auto piece = fragments->next()) {
    require(piece->size() <= mtu);
    std::vector<std::uint8_t> whole(piece->header.begin(), piece->header.end());
    whole.insert(whole.end(), piece->payload.begin(), piece->payload.end());
    require(IpView::parse(whole).has_value());
    total += piece->payload.size();
  }
  require(total == IpView::parse(bytes)->payload().size());
}

void read_capture(Input bytes) {
  PcapngReader reader;
  const std::size_t half = bytes.size() / 2;
  for (const Input part : {bytes.first(half), bytes.subspan(half)}) {
    reader.feed(part);
    while (const auto record = reader.next()) {
      require(record->interface < reader.interfaces().size());
      require(record->bytes.size() <= bytes.size());
    }
  }
  require(reader.pending() <= bytes.size());
}

}  // namespace
}  // namespace vpntun::packet

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace packet = vpntun::packet;
  if (size == 0) return 0;
  const std::size_t mtu = std::size_t{data[0]} * 6;
  const std::span<const std::uint8_t> bytes(data + 1, size - 1);
  packet::read_views(bytes);
  packet::read_views(packet::ip_of_frame(bytes));
  packet::say_in_words(bytes);
  packet::answer(bytes, static_cast<std::uint32_t>(mtu));
  packet::cut(bytes, mtu);
  packet::read_capture(bytes);
  return 0;
}

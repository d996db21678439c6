#include "packet/ethernet.h"

#include <algorithm>

#include "base/wire.h"

namespace vpntun::packet {
namespace {

std::uint16_t word(std::span<const std::uint8_t> bytes, std::size_t offset) noexcept {
  return load_be<std::uint16_t>(bytes.data() + offset);
}

MacAddress mac(std::span<const std::uint8_t> bytes, std::size_t offset) noexcept {
  MacAddress address;
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), address.bytes.size(),
              address.bytes.begin());
  return address;
}

}  // namespace

std::optional<EthernetView> EthernetView::parse(std::span<const std::uint8_t> frame) noexcept {
  if (frame.size() < kEthernetHeader) return std::nullopt;
  EthernetView view;
  view.bytes_ = frame;
  if (word(frame, 12) == kEtherVlan) view.header_length_ += kVlanTag;
  if (frame.size() < view.header_length_) return std::nullopt;
  return view;
}

MacAddress EthernetView::destination() const noexcept {
  return mac(bytes_, 0);
}
MacAddress EthernetView::source() const noexcept {
  return mac(bytes_, 6);
}
std::uint16_t EthernetView::ethertype() const noexcept {
  return word(bytes_, header_length_ - 2);
}

std::optional<std::uint16_t> EthernetView::vlan() const noexcept {
  if (header_length_ == kEthernetHeader) return std::nullopt;
  return static_cast<std::uint16_t>(word(bytes_, 14) & 0x0fff);
}

std::optional<ArpView> ArpView::parse(std::span<const std::uint8_t> payload) noexcept {
  constexpr std::uint8_t kEthernetIpv4[] = {0, 1, 8, 0, 6, 4};
  if (payload.size() < 28 ||
      !std::equal(std::begin(kEthernetIpv4), std::end(kEthernetIpv4), payload.begin()))
    return std::nullopt;
  ArpView view;
  view.bytes_ = payload.first(28);
  return view;
}

std::uint16_t ArpView::operation() const noexcept {
  return word(bytes_, 6);
}
MacAddress ArpView::sender_mac() const noexcept {
  return mac(bytes_, 8);
}
IpAddress ArpView::sender_ip() const noexcept {
  return IpAddress::v4(bytes_.subspan<14, 4>());
}
MacAddress ArpView::target_mac() const noexcept {
  return mac(bytes_, 18);
}
IpAddress ArpView::target_ip() const noexcept {
  return IpAddress::v4(bytes_.subspan<24, 4>());
}

std::span<const std::uint8_t> ip_of_frame(std::span<const std::uint8_t> frame) noexcept {
  const auto ethernet = EthernetView::parse(frame);
  if (!ethernet) return {};
  const auto payload = ethernet->payload();
  std::size_t length = 0;
  if (ethernet->ethertype() == kEtherIpv4 && payload.size() >= 4)
    length = word(payload, 2);
  else if (ethernet->ethertype() == kEtherIpv6 && payload.size() >= 6)
    length = 40u + word(payload, 4);
  else if (ethernet->ethertype() != kEtherIpv4 && ethernet->ethertype() != kEtherIpv6)
    return {};
  // A length that promises too much, or less than a version nibble, is left for IpView to refuse.
  if (length == 0 || length > payload.size()) return payload;
  return payload.first(length);
}

}  // namespace vpntun::packet

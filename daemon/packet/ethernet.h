// Checked views of Ethernet frames and of ARP. Views borrow the bytes. Pure, without allocation.
// Sources: IEEE 802.3, 802.1Q, RFC 826.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/address.h"

namespace vpntun::packet {

inline constexpr std::uint16_t kEtherIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherArp = 0x0806;
inline constexpr std::uint16_t kEtherVlan = 0x8100;
inline constexpr std::uint16_t kEtherIpv6 = 0x86dd;

inline constexpr std::size_t kEthernetHeader = 14;  // bytes, without a VLAN tag
inline constexpr std::size_t kVlanTag = 4;          // bytes
inline constexpr std::size_t kTaggedHeader = kEthernetHeader + kVlanTag;

// What the bytes of a packet begin with.
enum class Layer : std::uint8_t {
  kIp,        // TUN, and the outside
  kEthernet,  // TAP
};

class EthernetView {
 public:
  // At least a header (and the whole of one 802.1Q tag). The payload may carry padding behind the
  // packet.
  static std::optional<EthernetView> parse(std::span<const std::uint8_t> frame) noexcept;

  MacAddress destination() const noexcept;
  MacAddress source() const noexcept;
  // The type behind the tag, when there is one. Values below 0x0600 are an 802.3 length.
  std::uint16_t ethertype() const noexcept;
  // VLAN identifier of the tag.
  std::optional<std::uint16_t> vlan() const noexcept;
  // 14, or 18 with a tag.
  std::size_t header_length() const noexcept { return header_length_; }
  std::span<const std::uint8_t> header() const noexcept { return bytes_.first(header_length_); }
  std::span<const std::uint8_t> payload() const noexcept { return bytes_.subspan(header_length_); }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t header_length_ = kEthernetHeader;
};

// ARP for IPv4 over Ethernet.
class ArpView {
 public:
  static constexpr std::uint16_t kRequest = 1;
  static constexpr std::uint16_t kReply = 2;

  // The payload of a frame of type kEtherArp; padding is ignored.
  static std::optional<ArpView> parse(std::span<const std::uint8_t> payload) noexcept;

  std::uint16_t operation() const noexcept;
  MacAddress sender_mac() const noexcept;
  IpAddress sender_ip() const noexcept;
  MacAddress target_mac() const noexcept;
  IpAddress target_ip() const noexcept;

 private:
  std::span<const std::uint8_t> bytes_;
};

// The IP packet a frame carries, without Ethernet's padding to 60 bytes; empty when it carries
// none. What is returned may still be broken: IpView::parse decides.
std::span<const std::uint8_t> ip_of_frame(std::span<const std::uint8_t> frame) noexcept;

}  // namespace vpntun::packet

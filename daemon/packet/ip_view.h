// Checked views of IP packets and what they carry: the one place where lengths from the wire are
// believed, after they have been compared with the bytes that are there. Views borrow the bytes.
// Pure, without allocation. Sources: RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 792, RFC 4443.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/address.h"

namespace vpntun::packet {

// Protocol and next-header numbers (IANA) this program gives a meaning to.
inline constexpr std::uint8_t kProtocolIcmp = 1;
inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint8_t kProtocolUdp = 17;
inline constexpr std::uint8_t kProtocolFragment = 44;
inline constexpr std::uint8_t kProtocolIcmpv6 = 58;
inline constexpr std::uint8_t kProtocolNone = 59;

// Why bytes are no IP packet.
enum class IpDefect : std::uint8_t {
  kNone,
  kEmpty,          // no byte at all
  kVersion,        // the version nibble is neither 4 nor 6
  kHeaderMissing,  // fewer bytes than the header has
  kHeaderLength,   // IPv4: header length below 20 bytes, or beyond the total length
  kTruncated,      // the length field promises more bytes than are there
  kTrailing,       // the length field promises fewer bytes than are there
  kJumbogram,      // IPv6: payload length 0 with a hop-by-hop header (RFC 2675)
};

class IpView {
 public:
  // A whole packet: the length field must be exactly bytes.size(). defect tells why there is no
  // view.
  static std::optional<IpView> parse(std::span<const std::uint8_t> bytes,
                                     IpDefect& defect) noexcept;
  static std::optional<IpView> parse(std::span<const std::uint8_t> bytes) noexcept;
  // The beginning of a packet, as ICMP errors quote it: the length field may promise more than is
  // there.
  static std::optional<IpView> parse_quoted(std::span<const std::uint8_t> bytes) noexcept;

  // Bytes of the packet that starts here according to its length field; all of them when it is no
  // packet, or promises more than there is.
  static std::size_t length_without_padding(std::span<const std::uint8_t> bytes) noexcept;

  Family family() const noexcept { return family_; }
  bool is_v4() const noexcept { return family_ == Family::kIpv4; }
  IpAddress source() const noexcept;
  IpAddress destination() const noexcept;

  // The upper-layer protocol: IPv6 extension headers are walked, at most kMaxExtensionHeaders of
  // them. kProtocolNone when the chain is longer or cut off.
  std::uint8_t protocol() const noexcept { return protocol_; }
  // IPv4 time to live, IPv6 hop limit.
  std::uint8_t ttl() const noexcept { return bytes_[is_v4() ? 8 : 7]; }
  // IPv4 type of service, IPv6 traffic class: DSCP and ECN.
  std::uint8_t traffic_class() const noexcept;
  // IPv4 with options; IPv6 with the extension headers that were walked.
  std::size_t header_length() const noexcept { return header_length_; }
  std::span<const std::uint8_t> header() const noexcept { return bytes_.first(header_length_); }
  // What follows the header: of a fragment other than the first, the middle of something.
  std::span<const std::uint8_t> payload() const noexcept { return bytes_.subspan(header_length_); }
  std::span<const std::uint8_t> bytes() const noexcept { return bytes_; }

  // IPv6 routers never fragment: always true there.
  bool dont_fragment() const noexcept { return dont_fragment_; }
  // A part of a packet. An IPv6 atomic fragment (RFC 6946) is whole.
  bool is_fragment() const noexcept { return more_fragments_ || fragment_offset_ != 0; }
  bool is_later_fragment() const noexcept { return fragment_offset_ != 0; }
  bool more_fragments() const noexcept { return more_fragments_; }
  // Bytes; a multiple of 8.
  std::size_t fragment_offset() const noexcept { return fragment_offset_; }
  // IPv4 identification, or that of the IPv6 fragment header (0 without one).
  std::uint32_t id() const noexcept { return id_; }

  static constexpr std::size_t kMaxExtensionHeaders = 8;

 private:
  enum class Mode { kWhole, kQuoted };
  static std::optional<IpView> parse(std::span<const std::uint8_t> bytes, Mode mode,
                                     IpDefect& defect) noexcept;
  IpDefect read_v4(Mode mode) noexcept;
  IpDefect read_v6(Mode mode) noexcept;
  void walk_extension_headers() noexcept;

  std::span<const std::uint8_t> bytes_;
  std::size_t header_length_ = 0;
  std::size_t fragment_offset_ = 0;
  std::uint32_t id_ = 0;
  Family family_ = Family::kIpv4;
  std::uint8_t protocol_ = 0;
  bool dont_fragment_ = false;
  bool more_fragments_ = false;
};

// The views below take the payload of an IpView that is not a later fragment. They check what they
// read and nothing more: a quoted packet may end behind the ports.

class TcpView {
 public:
  enum Flag : std::uint8_t {
    kFin = 1,
    kSyn = 2,
    kRst = 4,
    kPsh = 8,
    kAck = 16,
    kUrg = 32,
    kEce = 64,
    kCwr = 128,
  };
  // At least the 20 bytes of the fixed header, and all of its options.
  static std::optional<TcpView> parse(std::span<const std::uint8_t> segment) noexcept;

  std::uint16_t source_port() const noexcept;
  std::uint16_t destination_port() const noexcept;
  std::uint32_t sequence() const noexcept;
  std::uint32_t acknowledgment() const noexcept;
  std::uint8_t flags() const noexcept { return bytes_[13]; }
  std::uint16_t window() const noexcept;
  std::size_t header_length() const noexcept { return std::size_t{bytes_[12]} / 16 * 4; }
  std::span<const std::uint8_t> payload() const noexcept { return bytes_.subspan(header_length()); }

 private:
  std::span<const std::uint8_t> bytes_;
};

class UdpView {
 public:
  static std::optional<UdpView> parse(std::span<const std::uint8_t> datagram) noexcept;

  std::uint16_t source_port() const noexcept;
  std::uint16_t destination_port() const noexcept;
  // The length field: header and payload, as the sender wrote it.
  std::uint16_t length() const noexcept;
  // The length field is the number of bytes that are there.
  bool length_fits() const noexcept { return length() == bytes_.size(); }
  // All bytes behind the header that are there.
  std::span<const std::uint8_t> payload() const noexcept { return bytes_.subspan(8); }

 private:
  std::span<const std::uint8_t> bytes_;
};

// ICMP and ICMPv6: the first four bytes have one form.
class IcmpView {
 public:
  // At least the eight bytes that all known messages have.
  static std::optional<IcmpView> parse(std::span<const std::uint8_t> message) noexcept;

  std::uint8_t type() const noexcept { return bytes_[0]; }
  std::uint8_t code() const noexcept { return bytes_[1]; }
  // Echo messages.
  std::uint16_t id() const noexcept;
  std::uint16_t sequence() const noexcept;
  // Bytes 4 to 7: the MTU of packet too big; its lower half that of fragmentation needed.
  std::uint32_t rest() const noexcept;
  std::span<const std::uint8_t> payload() const noexcept { return bytes_.subspan(8); }

 private:
  std::span<const std::uint8_t> bytes_;
};

// Whether the message reports an error about another packet: no error may answer it (RFC
// 1122 3.2.2, RFC 4443 2.4).
bool is_icmp_error(Family family, std::uint8_t type) noexcept;

}  // namespace vpntun::packet

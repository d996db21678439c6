#include "packet/ip_view.h"

#include <algorithm>

#include "base/wire.h"

namespace vpntun::packet {
namespace {

constexpr std::size_t kIpv4Header = 20;
constexpr std::size_t kIpv6Header = 40;

constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kAuthentication = 51;
constexpr std::uint8_t kDestinationOptions = 60;
constexpr std::uint8_t kMobility = 135;
constexpr std::uint8_t kHip = 139;
constexpr std::uint8_t kShim6 = 140;

std::uint16_t word(std::span<const std::uint8_t> bytes, std::size_t offset) noexcept {
  return load_be<std::uint16_t>(bytes.data() + offset);
}

// The length of the extension header that starts here, of the given kind: bytes, from its second
// byte. 0: the kind is no extension header.
std::size_t extension_length(std::uint8_t kind, std::uint8_t length_field) noexcept {
  switch (kind) {
    case kHopByHop:
    case kRouting:
    case kDestinationOptions:
    case kMobility:
    case kHip:
    case kShim6:
      return (std::size_t{length_field} + 1) * 8;
    case kAuthentication:
      return (std::size_t{length_field} + 2) * 4;
    case kProtocolFragment:
      return 8;
    default:
      return 0;
  }
}

}  // namespace

std::optional<IpView> IpView::parse(std::span<const std::uint8_t> bytes,
                                    IpDefect& defect) noexcept {
  return parse(bytes, Mode::kWhole, defect);
}

std::optional<IpView> IpView::parse(std::span<const std::uint8_t> bytes) noexcept {
  IpDefect defect;
  return parse(bytes, Mode::kWhole, defect);
}

std::optional<IpView> IpView::parse_quoted(std::span<const std::uint8_t> bytes) noexcept {
  IpDefect defect;
  return parse(bytes, Mode::kQuoted, defect);
}

std::size_t IpView::length_without_padding(std::span<const std::uint8_t> bytes) noexcept {
  std::size_t length = bytes.size();
  if (bytes.size() >= kIpv4Header && bytes[0] >> 4 == 4)
    length = word(bytes, 2);
  else if (bytes.size() >= kIpv6Header && bytes[0] >> 4 == 6)
    length = kIpv6Header + word(bytes, 4);
  return std::min(length, bytes.size());
}

std::optional<IpView> IpView::parse(std::span<const std::uint8_t> bytes, Mode mode,
                                    IpDefect& defect) noexcept {
  if (bytes.empty()) {
    defect = IpDefect::kEmpty;
    return std::nullopt;
  }
  IpView view;
  view.bytes_ = bytes;
  switch (bytes[0] >> 4) {
    case 4:
      defect = view.read_v4(mode);
      break;
    case 6:
      defect = view.read_v6(mode);
      break;
    default:
      defect = IpDefect::kVersion;
  }
  if (defect != IpDefect::kNone) return std::nullopt;
  return view;
}

IpDefect IpView::read_v4(Mode mode) noexcept {
  family_ = Family::kIpv4;
  if (bytes_.size() < kIpv4Header) return IpDefect::kHeaderMissing;
  header_length_ = std::size_t{bytes_[0] & 0x0fu} * 4;
  const std::size_t total = word(bytes_, 2);
  if (header_length_ < kIpv4Header || total < header_length_) return IpDefect::kHeaderLength;
  if (bytes_.size() < header_length_) return IpDefect::kHeaderMissing;
  if (mode == Mode::kWhole && total > bytes_.size()) return IpDefect::kTruncated;
  if (total < bytes_.size()) {
    if (mode == Mode::kWhole) return IpDefect::kTrailing;
    bytes_ = bytes_.first(total);
  }
  id_ = word(bytes_, 4);
  const std::uint16_t fragment = word(bytes_, 6);
  dont_fragment_ = (fragment & 0x4000) != 0;
  more_fragments_ = (fragment & 0x2000) != 0;
  fragment_offset_ = std::size_t{fragment & 0x1fffu} * 8;
  protocol_ = bytes_[9];
  return IpDefect::kNone;
}

IpDefect IpView::read_v6(Mode mode) noexcept {
  family_ = Family::kIpv6;
  if (bytes_.size() < kIpv6Header) return IpDefect::kHeaderMissing;
  const std::size_t payload_length = word(bytes_, 4);
  const std::size_t total = kIpv6Header + payload_length;
  if (payload_length == 0 && bytes_[6] == kHopByHop) return IpDefect::kJumbogram;
  if (mode == Mode::kWhole && total > bytes_.size()) return IpDefect::kTruncated;
  if (total < bytes_.size()) {
    if (mode == Mode::kWhole) return IpDefect::kTrailing;
    bytes_ = bytes_.first(total);
  }
  header_length_ = kIpv6Header;
  dont_fragment_ = true;
  protocol_ = bytes_[6];
  walk_extension_headers();
  return IpDefect::kNone;
}

void IpView::walk_extension_headers() noexcept {
  for (std::size_t walked = 0; extension_length(protocol_, 0) != 0; ++walked) {
    const auto rest = payload();
    if (walked == kMaxExtensionHeaders || rest.size() < 8 ||
        rest.size() < extension_length(protocol_, rest[1])) {
      protocol_ = kProtocolNone;
      return;
    }
    const std::uint8_t kind = protocol_;
    protocol_ = rest[0];
    header_length_ += extension_length(kind, rest[1]);
    if (kind != kProtocolFragment) continue;
    const std::uint16_t fragment = word(rest, 2);
    more_fragments_ = (fragment & 1) != 0;
    fragment_offset_ = fragment & 0xfff8u;
    id_ = load_be<std::uint32_t>(rest.data() + 4);
    if (fragment_offset_ != 0) return;
  }
}

IpAddress IpView::source() const noexcept {
  if (is_v4()) return IpAddress::v4(bytes_.subspan<12, 4>());
  return IpAddress::v6(bytes_.subspan<8, 16>());
}

IpAddress IpView::destination() const noexcept {
  if (is_v4()) return IpAddress::v4(bytes_.subspan<16, 4>());
  return IpAddress::v6(bytes_.subspan<24, 16>());
}

std::uint8_t IpView::traffic_class() const noexcept {
  if (is_v4()) return bytes_[1];
  return static_cast<std::uint8_t>(word(bytes_, 0) >> 4);
}

std::optional<TcpView> TcpView::parse(std::span<const std::uint8_t> segment) noexcept {
  TcpView view;
  view.bytes_ = segment;
  if (segment.size() < 20 || view.header_length() < 20 || view.header_length() > segment.size())
    return std::nullopt;
  return view;
}

std::uint16_t TcpView::source_port() const noexcept {
  return word(bytes_, 0);
}
std::uint16_t TcpView::destination_port() const noexcept {
  return word(bytes_, 2);
}
std::uint32_t TcpView::sequence() const noexcept {
  return load_be<std::uint32_t>(bytes_.data() + 4);
}
std::uint32_t TcpView::acknowledgment() const noexcept {
  return load_be<std::uint32_t>(bytes_.data() + 8);
}
std::uint16_t TcpView::window() const noexcept {
  return word(bytes_, 14);
}

std::optional<UdpView> UdpView::parse(std::span<const std::uint8_t> datagram) noexcept {
  if (datagram.size() < 8) return std::nullopt;
  UdpView view;
  view.bytes_ = datagram;
  return view;
}

std::uint16_t UdpView::source_port() const noexcept {
  return word(bytes_, 0);
}
std::uint16_t UdpView::destination_port() const noexcept {
  return word(bytes_, 2);
}
std::uint16_t UdpView::length() const noexcept {
  return word(bytes_, 4);
}

std::optional<IcmpView> IcmpView::parse(std::span<const std::uint8_t> message) noexcept {
  if (message.size() < 8) return std::nullopt;
  IcmpView view;
  view.bytes_ = message;
  return view;
}

std::uint16_t IcmpView::id() const noexcept {
  return word(bytes_, 4);
}
std::uint16_t IcmpView::sequence() const noexcept {
  return word(bytes_, 6);
}
std::uint32_t IcmpView::rest() const noexcept {
  return load_be<std::uint32_t>(bytes_.data() + 4);
}

bool is_icmp_error(Family family, std::uint8_t type) noexcept {
  // ICMPv6: types below 128; a redirect (137) is answered no more than an error.
  if (family == Family::kIpv6) return type < 128 || type == 137;
  // Destination unreachable, source quench, redirect, time exceeded, parameter problem.
  return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

}  // namespace vpntun::packet

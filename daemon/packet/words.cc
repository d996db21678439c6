#include "packet/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/wire.h"

namespace vpntun::packet {
namespace {

struct Name {
  int number;
  std::string_view name;
};

template <std::size_t N>
std::string_view find(const std::array<Name, N>& names, int number) {
  const auto found = std::ranges::find(names, number, &Name::number);
  return found == names.end() ? std::string_view() : found->name;
}

constexpr std::array kProtocols{
    Name{1, "ICMP"}, Name{2, "IGMP"},        Name{4, "IPv4-in-IP"}, Name{6, "TCP"},
    Name{17, "UDP"}, Name{41, "IPv6-in-IP"}, Name{47, "GRE"},       Name{50, "ESP"},
    Name{51, "AH"},  Name{58, "ICMPv6"},     Name{89, "OSPF"},      Name{132, "SCTP"},
};

// RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1.
constexpr std::array kUnreachableV4{
    Name{0, "network unreachable"},
    Name{1, "host unreachable"},
    Name{2, "protocol unreachable"},
    Name{3, "port unreachable"},
    Name{4, "fragmentation needed"},
    Name{5, "source route failed"},
    Name{6, "network unknown"},
    Name{7, "host unknown"},
    Name{9, "network administratively prohibited"},
    Name{10, "host administratively prohibited"},
    Name{11, "network unreachable for this type of service"},
    Name{12, "host unreachable for this type of service"},
    Name{13, "administratively prohibited"},
};

// RFC 4443 3.1.
constexpr std::array kUnreachableV6{
    Name{0, "no route to destination"},
    Name{1, "administratively prohibited"},
    Name{2, "beyond the scope of the source address"},
    Name{3, "address unreachable"},
    Name{4, "port unreachable"},
    Name{5, "source address failed policy"},
    Name{6, "route rejected"},
};

constexpr std::array kTypesV4{
    Name{0, "echo reply"},         Name{4, "source quench"},        Name{5, "redirect"},
    Name{8, "echo request"},       Name{9, "router advertisement"}, Name{10, "router solicitation"},
    Name{12, "parameter problem"}, Name{13, "timestamp request"},   Name{14, "timestamp reply"},
};

// RFC 4443, RFC 4861, RFC 2710, RFC 3810.
constexpr std::array kTypesV6{
    Name{2, "packet too big"},
    Name{4, "parameter problem"},
    Name{128, "echo request"},
    Name{129, "echo reply"},
    Name{130, "multicast listener query"},
    Name{131, "multicast listener report"},
    Name{132, "multicast listener done"},
    Name{133, "router solicitation"},
    Name{134, "router advertisement"},
    Name{135, "neighbour solicitation"},
    Name{136, "neighbour advertisement"},
    Name{137, "redirect"},
    Name{143, "multicast listener report"},
};

std::string unreachable(std::string_view name, int code) {
  if (name.empty()) return fmt::format("destination unreachable, code {}", code);
  return std::string(name);
}

std::string or_type(std::string_view name, const IcmpView& icmp) {
  if (name.empty()) return fmt::format("type {} code {}", icmp.type(), icmp.code());
  return std::string(name);
}

std::string_view time_exceeded(int code) {
  return code == 0 ? "time exceeded in transit" : "time exceeded in reassembly";
}

std::string with_echo(std::string_view name, const IcmpView& icmp) {
  return fmt::format("{} id {} seq {}", name, icmp.id(), icmp.sequence());
}

std::string meaning_v4(const IcmpView& icmp) {
  switch (icmp.type()) {
    case 0:
    case 8:
      return with_echo(find(kTypesV4, icmp.type()), icmp);
    case 3:
      if (icmp.code() == 4)
        return fmt::format("fragmentation needed, next-hop mtu {}", icmp.rest() & 0xffff);
      return unreachable(find(kUnreachableV4, icmp.code()), icmp.code());
    case 5: {
      const auto gateway = icmp.rest();
      std::array<std::uint8_t, 4> bytes{};
      store_be(bytes.data(), gateway);
      return fmt::format("redirect to {}", IpAddress::v4(bytes).to_string());
    }
    case 11:
      return std::string(time_exceeded(icmp.code()));
    default:
      return or_type(find(kTypesV4, icmp.type()), icmp);
  }
}

std::string meaning_v6(const IcmpView& icmp) {
  const std::string_view name = find(kTypesV6, icmp.type());
  switch (icmp.type()) {
    case 1:
      return unreachable(find(kUnreachableV6, icmp.code()), icmp.code());
    case 2:
      return fmt::format("packet too big, next-hop mtu {}", icmp.rest());
    case 3:
      return std::string(time_exceeded(icmp.code()));
    case 128:
    case 129:
      return with_echo(name, icmp);
    case 135:
    case 136: {
      if (icmp.payload().size() < 16) return fmt::format("{} (cut off)", name);
      const auto target = IpAddress::v6(icmp.payload().first<16>()).to_string();
      return fmt::format("{} {}{}", name, icmp.type() == 135 ? "who-has " : "", target);
    }
    default:
      return or_type(name, icmp);
  }
}

std::size_t header_wanted(std::span<const std::uint8_t> bytes) {
  if (bytes[0] >> 4 == 6) return 40;
  return std::max<std::size_t>(20, std::size_t{bytes[0] & 0x0fu} * 4);
}

std::size_t length_promised(std::span<const std::uint8_t> bytes) {
  if (bytes[0] >> 4 == 6) return 40u + load_be<std::uint16_t>(bytes.data() + 4);
  return load_be<std::uint16_t>(bytes.data() + 2);
}

}  // namespace

std::string protocol_name(std::uint8_t protocol) {
  const std::string_view name = find(kProtocols, protocol);
  return name.empty() ? fmt::format("protocol {}", protocol) : std::string(name);
}

std::string tcp_flags(std::uint8_t flags) {
  static constexpr std::array kFlags{
      Name{TcpView::kSyn, "SYN"}, Name{TcpView::kFin, "FIN"}, Name{TcpView::kRst, "RST"},
      Name{TcpView::kPsh, "PSH"}, Name{TcpView::kAck, "ACK"}, Name{TcpView::kUrg, "URG"},
      Name{TcpView::kEce, "ECE"}, Name{TcpView::kCwr, "CWR"},
  };
  std::string text;
  for (const Name& flag : kFlags) {
    if ((flags & flag.number) == 0) continue;
    if (!text.empty()) text += ',';
    text += flag.name;
  }
  return text.empty() ? "no flags" : text;
}

std::string defect_text(std::span<const std::uint8_t> bytes, IpDefect defect) {
  switch (defect) {
    case IpDefect::kNone:
      break;
    case IpDefect::kEmpty:
      return "empty";
    case IpDefect::kVersion:
      return fmt::format("version nibble {}, neither 4 nor 6", bytes[0] >> 4);
    case IpDefect::kHeaderMissing: {
      const std::size_t wanted = header_wanted(bytes);
      return fmt::format("version nibble {} but {} of {} header bytes are missing", bytes[0] >> 4,
                         wanted - bytes.size(), wanted);
    }
    case IpDefect::kHeaderLength:
      return fmt::format("IPv4 header length {} with total length {}", (bytes[0] & 0x0f) * 4,
                         length_promised(bytes));
    case IpDefect::kTruncated:
      return fmt::format("cut off, its length field says {} bytes", length_promised(bytes));
    case IpDefect::kTrailing:
      return fmt::format("its length field says only {} bytes", length_promised(bytes));
    case IpDefect::kJumbogram:
      return "an IPv6 jumbogram";
  }
  return "nothing wrong";
}

std::string icmp_meaning(Family family, const IcmpView& icmp) {
  return family == Family::kIpv4 ? meaning_v4(icmp) : meaning_v6(icmp);
}

std::string printable(std::span<const std::uint8_t> bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes)
    text += byte >= 0x20 && byte < 0x7f ? static_cast<char>(byte) : '.';
  return text;
}

}  // namespace vpntun::packet

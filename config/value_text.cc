#include "config/value_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <vector>

#include "config/source_text.h"

namespace vpntun::config {
namespace {

constexpr std::string_view kDigits = "0123456789";

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of(kDigits) == std::string_view::npos;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// Decimal digits as a number; larger than the type: its maximum.
unsigned number_of(std::string_view digits) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc{} && end == digits.data() + digits.size() ? value : ~0u;
}

std::string why_no_ipv4(std::string_view text) {
  const auto octets = split(text, '.');
  for (std::size_t i = 0; i < octets.size(); ++i) {
    const std::string_view octet = octets[i];
    if (octet.empty()) return fmt::format("octet {} is empty", i + 1);
    if (!is_digits(octet)) return fmt::format("octet {} is not a number", i + 1);
    if (octet.size() > 1 && octet[0] == '0')
      return fmt::format("octet {} has a leading zero", i + 1);
    if (number_of(octet) > 255)
      return fmt::format("octet {} is {:.12}, the maximum is 255", i + 1, octet);
  }
  return fmt::format("it has {} octet{}, an IPv4 address has 4", octets.size(),
                     octets.size() == 1 ? "" : "s");
}

std::string why_no_ipv6(std::string_view text) {
  if (text.find('%') != std::string_view::npos) return "it has a zone, which cannot be used here";
  if (text.find(":::") != std::string_view::npos) return "it has three colons in a row";
  const std::size_t gap = text.find("::");
  if (gap != std::string_view::npos && text.find("::", gap + 1) != std::string_view::npos)
    return "\"::\" stands in it twice";
  const auto groups = split(text, ':');
  for (const std::string_view group : groups) {
    if (group.find('.') != std::string_view::npos) continue;
    if (group.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos)
      return fmt::format("{} is not a hexadecimal group", in_quotes(group));
    if (group.size() > 4) return fmt::format("group {} has more than 4 digits", in_quotes(group));
  }
  if (gap == std::string_view::npos)
    return fmt::format("it has {} groups, an IPv6 address has 8", groups.size());
  return "it is not an IPv6 address";
}

std::string why_no_address(std::string_view text) {
  if (text.empty()) return "the address is empty";
  if (text.find_first_of(" \t\n\r") != std::string_view::npos) return "it has white space in it";
  if (text.find(':') != std::string_view::npos) return why_no_ipv6(text);
  if (text.find_first_not_of("0123456789.") == std::string_view::npos) return why_no_ipv4(text);
  return fmt::format("{} is neither an IPv4 nor an IPv6 address", in_quotes(text));
}

// "/255.255.255.0" and the like.
std::optional<int> length_of_netmask(std::string_view text) {
  const auto mask = IpAddress::parse(text);
  if (!mask || !mask->is_v4()) return std::nullopt;
  std::uint32_t bits = 0;
  for (const std::uint8_t byte : mask->bytes()) bits = (bits << 8) | byte;
  const int length = std::countl_one(bits);
  if (length == 0 || length + std::countr_zero(bits) < 32) return std::nullopt;
  return length;
}

Hint why_no_length(const IpAddress& address, std::string_view length) {
  if (const auto bits = length_of_netmask(length))
    return {"the length of the prefix is asked, not its netmask",
            fmt::format("write \"{}/{}\"", address.to_string(), *bits)};
  if (!is_digits(length))
    return {fmt::format("the prefix length {} is not a number", in_quotes(length)), ""};
  if (length.size() > 1 && length[0] == '0') return {"the prefix length has a leading zero", ""};
  return {fmt::format("the prefix length is {:.12}, the maximum is {}", length, address.bits()),
          ""};
}

// The last label of a host name is never a number (RFC 3696, section 2): such a text was meant as
// an address.
bool looks_like_ipv4(std::string_view host) {
  const auto labels = split(host, '.');
  return is_digits(labels.back());
}

std::string why_no_host_name(std::string_view host) {
  if (host.size() > 253) return "the host name is longer than 253 characters";
  if (host.ends_with('.')) host.remove_suffix(1);
  for (const std::string_view label : split(host, '.')) {
    if (label.empty()) return "the host name has an empty label";
    if (label.size() > 63) return "a label of the host name is longer than 63 characters";
    if (label.front() == '-' || label.back() == '-')
      return "a label of the host name begins or ends with \"-\"";
    for (std::size_t i = 0; i < label.size(); ++i) {
      const char c = label[i];
      const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '_';
      if (allowed) continue;
      std::size_t end = i + 1;  // the whole character
      while (end < label.size() && (static_cast<unsigned char>(label[end]) & 0xc0) == 0x80) ++end;
      return fmt::format("{} cannot stand in a host name", in_quotes(label.substr(i, end - i)));
    }
  }
  return "";
}

// Endpoints are single hosts that datagrams can be sent to.
Hint why_no_destination(const IpAddress& address) {
  if (address.is_unspecified()) return {"the unspecified address is no destination", ""};
  if (address.is_multicast()) return {"a multicast address is no single host", ""};
  if (address == IpAddress::v4(255, 255, 255, 255))
    return {"a broadcast address is no single host", ""};
  if (address.is_v6() && address.is_link_local())
    return {"a link-local address says nothing without its interface",
            "use another address of that host, or its IPv4 address"};
  return {};
}

// The host and port parts of an endpoint.
struct HostPort {
  std::string_view host;
  std::string_view port;
  bool bracketed = false;
};

Parsed<HostPort> split_endpoint(std::string_view text) {
  const std::string form = "write ADDRESS:PORT, [IPV6]:PORT, NAME:PORT or \"learn\"";
  if (text.empty()) return {{}, {"it is empty", form}};
  if (text.find_first_of(" \t\n\r") != std::string_view::npos)
    return {{}, {"it has white space in it", form}};
  if (const auto scheme = text.find("://"); scheme != std::string_view::npos)
    return {
        {},
        {fmt::format("an endpoint has no scheme {}", in_quotes(text.substr(0, scheme + 3))), form}};
  if (text.front() == '[') {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return {{}, {"the bracket is not closed", form}};
    if (close + 1 >= text.size() || text[close + 1] != ':')
      return {{}, {"the port is missing", form}};
    return {HostPort{text.substr(1, close - 1), text.substr(close + 2), true}, {}};
  }
  if (IpAddress::parse(text) && text.find(':') != std::string_view::npos)
    return {{},
            {"an IPv6 address needs brackets, and the port is missing",
             fmt::format("write \"[{}]:PORT\"", text)}};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos)
    return {
        {},
        {"the port is missing", fmt::format("write {}", in_quotes(std::string(text) + ":9090"))}};
  const std::string_view host = text.substr(0, colon);
  if (host.find(':') != std::string_view::npos)
    return {{},
            {"an IPv6 address needs brackets",
             fmt::format("write {}", in_quotes(fmt::format("[{}]{}", host, text.substr(colon))))}};
  return {HostPort{host, text.substr(colon + 1), false}, {}};
}

std::string why_no_port(std::string_view port) {
  if (port.empty()) return "the port is empty";
  if (!is_digits(port)) return fmt::format("the port {} is not a number", in_quotes(port));
  if (number_of(port) == 0) return "port 0 cannot be sent to";
  if (port[0] == '0') return "the port has a leading zero";
  return number_of(port) > 65535 ? fmt::format("the port is {:.12}, the maximum is 65535", port)
                                 : "";
}

// Says nothing of what the text is, which may be a secret one.
Hint why_no_key(std::string_view text, std::string_view help) {
  if (text.size() != crypto::kKeyTextSize)
    return {fmt::format("it has {} characters, a key has {}", text.size(), crypto::kKeyTextSize),
            std::string(help)};
  return {"it is not the base64 of 32 bytes", std::string(help)};
}

}  // namespace

Parsed<IpPrefix> parse_network(std::string_view text) {
  if (const auto prefix = IpPrefix::parse(text)) return {prefix, {}};
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return {{}, {why_no_address(text.substr(0, slash)), ""}};
  return {{}, why_no_length(*address, text.substr(slash + 1))};
}

Parsed<IpPrefix> parse_interface_address(std::string_view text) {
  Parsed<IpPrefix> parsed = parse_network(text);
  if (!parsed.value) return parsed;
  const IpAddress& address = parsed.value->address;
  if (text.find('/') == std::string_view::npos)
    return {{},
            {"the prefix length is missing",
             fmt::format("write \"{}/{}\" for a network of that size", address.to_string(),
                         address.is_v4() ? 24 : 64)}};
  if (address.is_unspecified()) return {{}, {"the unspecified address is no host's", ""}};
  if (address.is_multicast()) return {{}, {"a multicast address is no single host's", ""}};
  if (parsed.value->length == 0)
    return {{}, {"the prefix length 0 would put every address on this interface", ""}};
  return parsed;
}

Parsed<EndpointSpec> parse_endpoint(std::string_view text) {
  const Parsed<HostPort> parts = split_endpoint(text);
  if (!parts.value) return {{}, parts.why};
  const HostPort& part = *parts.value;
  EndpointSpec endpoint{std::string(part.host), 0, IpAddress::parse(part.host)};
  if (part.host.empty()) return {{}, {"the host is missing", ""}};
  if (part.bracketed && !(endpoint.address && endpoint.address->is_v6()))
    return {{},
            {part.host.find(':') == std::string_view::npos ? "brackets are for IPv6 addresses only"
                                                           : why_no_ipv6(part.host),
             ""}};
  if (!endpoint.address && looks_like_ipv4(part.host)) return {{}, {why_no_address(part.host), ""}};
  if (endpoint.address) {
    if (Hint why = why_no_destination(*endpoint.address); !why.detail.empty())
      return {{}, std::move(why)};
  } else if (std::string why = why_no_host_name(part.host); !why.empty()) {
    return {{}, {std::move(why), ""}};
  }
  if (std::string why = why_no_port(part.port); !why.empty()) return {{}, {std::move(why), ""}};
  endpoint.port = static_cast<std::uint16_t>(number_of(part.port));
  return {std::move(endpoint), {}};
}

Parsed<IpAddress> parse_dns_server(std::string_view text) {
  const auto address = IpAddress::parse(text);
  if (!address) {
    const bool with_port = parse_endpoint(text).value.has_value();
    return {
        {},
        {with_port ? "the port of DNS is always 53: write the address alone" : why_no_address(text),
         ""}};
  }
  if (address->is_unspecified()) return {{}, {"the unspecified address is no server's", ""}};
  if (address->is_multicast()) return {{}, {"a multicast address is no single server's", ""}};
  if (address->is_loopback())
    return {{}, {"a loopback address is this host, not one behind the tunnel", ""}};
  return {address, {}};
}

Parsed<DnsDomain> parse_dns_domain(std::string_view text) {
  DnsDomain domain;
  domain.route_only = text.starts_with('~');
  std::string_view name = text.substr(domain.route_only ? 1 : 0);
  if (name == ".") {
    if (!domain.route_only)
      return {{}, {"the root cannot be appended to names", "write \"~.\" for every name"}};
    domain.name = name;
    return {std::move(domain), {}};
  }
  if (name.empty()) return {{}, {"it is empty", "for example: \"corp.example\", or \"~.\""}};
  if (std::string why = why_no_host_name(name); !why.empty()) return {{}, {std::move(why), ""}};
  if (name.ends_with('.')) name.remove_suffix(1);
  domain.name = name;
  return {std::move(domain), {}};
}

Parsed<crypto::PublicKey> parse_public_key(std::string_view text) {
  const auto key = crypto::PublicKey::parse(text);
  if (!key) return {{}, why_no_key(text, "`vpnctl pubkey` makes it of the private key")};
  if (*key == crypto::PublicKey{}) return {{}, {"the key of all zeros is nobody's", ""}};
  return {key, {}};
}

Parsed<crypto::SecretKey> parse_secret_key(std::string_view text) {
  auto key = crypto::SecretKey::parse(text);
  if (!key)
    return {
        {},
        why_no_key(text, "`vpnctl genkey` makes a private key, `vpnctl genpsk` a preshared one")};
  if (key->is_zero()) return {{}, {"a key of all zeros is no secret", ""}};
  return {std::move(key), {}};
}

Parsed<MacAddress> parse_mac(std::string_view text) {
  const auto mac = MacAddress::parse(text);
  if (!mac) return {{}, {"six pairs of hexadecimal digits with colons between them", ""}};
  if (mac->is_multicast())
    return {{},
            {"the lowest bit of the first byte makes it a group's address",
             "take an even first byte: 02 is for addresses of one's own"}};
  if (*mac == MacAddress{}) return {{}, {"the address of all zeros is nobody's", ""}};
  return {mac, {}};
}

std::string why_no_interface_name(std::string_view name, bool pattern) {
  if (name.empty()) return "it is empty";
  if (name.size() > 15) return fmt::format("it has {} bytes, the maximum is 15", name.size());
  if (name == "." || name == "..") return "the kernel refuses \".\" and \"..\"";
  if (name == "all" || name == "default") return "the kernel uses this word for all interfaces";
  for (const char c : name) {
    if (c == '/' || c == ':') return fmt::format("\"{}\" cannot stand in it", c);
    if (c == ' ' || (c >= '\t' && c <= '\r')) return "it has white space in it";
    if (c < ' ' || c > '~') return "only printable ASCII can stand in it";
  }
  const std::size_t percent = name.find('%');
  if (percent == std::string_view::npos) return "";
  if (!pattern) return "\"%\" cannot stand in it";
  if (name.substr(percent, 2) != "%d") return "only %d may follow the pattern of a number";
  return name.find('%', percent + 1) == std::string_view::npos ? "" : "only one %d may stand in it";
}

std::string why_no_tunnel_name(std::string_view name) {
  if (is_tunnel_name(name)) return "";
  if (name.empty()) return "it is empty";
  if (name.size() > 64) return fmt::format("it has {} bytes, the maximum is 64", name.size());
  if (name[0] == '.' || name[0] == '-') return fmt::format("it begins with \"{}\"", name[0]);
  return "only letters a-z and A-Z, digits, \"_\", \".\" and \"-\" may stand in it";
}

std::string why_no_netns_name(std::string_view name) {
  if (name.empty()) return "it is empty";
  if (name.size() > 255) return "it is longer than 255 bytes";
  if (name == "." || name == "..") return "\".\" and \"..\" are folders";
  if (name.find('/') != std::string_view::npos) return "\"/\" cannot stand in it";
  const bool control = std::any_of(name.begin(), name.end(),
                                   [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; });
  return control ? "a control character stands in it" : "";
}

}  // namespace vpntun::config

// The strings of a profile as values, or the reason why one is none. Pure.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.h"
#include "config/profile.h"
#include "config/report.h"

namespace vpntun::config {

// A value, or why the text is none.
template <typename T>
struct Parsed {
  std::optional<T> value;
  Hint why;
};

// "192.168.60.0/24"; host bits are left as written. A bare address is a prefix of full length.
Parsed<IpPrefix> parse_network(std::string_view text);
// "192.168.53.99/24": one host's address with the length of its network.
Parsed<IpPrefix> parse_interface_address(std::string_view text);
// "192.0.2.1:9090", "[2001:db8::1]:9090", "vpn.example.org:9090".
Parsed<EndpointSpec> parse_endpoint(std::string_view text);
// The address of a server that resolved can ask through the tunnel.
Parsed<IpAddress> parse_dns_server(std::string_view text);
// "corp.example", "~lab.example", "~."; a dot at the end is left out.
Parsed<DnsDomain> parse_dns_domain(std::string_view text);
// 44 characters of base64, not all zero. A secret one is no part of the reason.
Parsed<crypto::PublicKey> parse_public_key(std::string_view text);
Parsed<crypto::SecretKey> parse_secret_key(std::string_view text);
// Of one interface: not a group, not all zero.
Parsed<MacAddress> parse_mac(std::string_view text);

// The texts that `parse` takes, as values; the others are reported with the code.
template <typename T>
std::vector<Located<T>> values_of(const std::vector<Located<std::string>>& texts,
                                  Parsed<T> (*parse)(std::string_view), Code code,
                                  std::string_view expected, Report& report) {
  std::vector<Located<T>> values;
  for (const auto& text : texts) {
    Parsed<T> parsed = parse(text.value);
    if (parsed.value)
      values.push_back({std::move(*parsed.value), text.spot});
    else
      report.add(code, text.spot,
                 fmt::format("expected {}, got {}", expected, in_quotes(text.value)),
                 std::move(parsed.why));
  }
  return values;
}

// Why the kernel (dev_valid_name, dev_alloc_name) would not take an interface name; "" when it
// would. pattern: whether one %d may stand for a number.
std::string why_no_interface_name(std::string_view name, bool pattern);
// The same for a tunnel's or peer's name.
std::string why_no_tunnel_name(std::string_view name);
// And for a file under /run/netns.
std::string why_no_netns_name(std::string_view name);

}  // namespace vpntun::config

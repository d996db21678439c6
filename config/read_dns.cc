// [interface.dns]: from the document to the draft, and what does not fit together about it.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "config/document.h"
#include "config/draft.h"
#include "config/prefix_set.h"
#include "config/table_reader.h"
#include "config/value_text.h"

namespace vpntun::config {
namespace {

// What stands there twice. Domains differ by their names alone: a link has each only once.
template <typename T, typename Name>
void check_twice(const std::vector<Located<T>>& values, Name name_of, Report& report) {
  std::map<std::string, Spot> seen;
  for (const auto& value : values) {
    const auto [first, is_new] = seen.try_emplace(name_of(value.value), value.spot);
    if (!is_new)
      report.add(Code::kDnsTwice, value.spot, fmt::format("{} stands here twice", first->first),
                 {fmt::format("first in line {}", first->second.place.line), ""});
  }
}

// With TUN a server must lie behind some peer, or its queries are dropped.
void check_reach(const Draft& draft, Report& report) {
  if (!draft.is_tun()) return;
  PrefixSet carried;
  for (const PeerDraft& peer : draft.peers) {
    if (peer.allowed_ips_unclear) return;
    for (const auto& prefix : peer.allowed_ips) carried.insert(prefix.value);
  }
  for (const auto& server : draft.dns_servers)
    if (!carried.containing({server.value, server.value.bits()}))
      report.add(Code::kDnsUnreachable, server.spot,
                 fmt::format("{} is in no peer's allowed-ips", server.value.to_string()),
                 {"the tunnel would drop what is asked there",
                  "add it to the allowed-ips of the peer behind which it lies"});
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

// Names of endpoints that resolved would ask about through the tunnel, which needs them first.
void check_endpoint_names(const Draft& draft, Report& report) {
  for (const PeerDraft& peer : draft.peers)
    for (const EndpointDraft& endpoint : peer.endpoints) {
      if (endpoint.value.address || endpoint.secret) continue;
      const std::string host = lower(endpoint.value.host);
      const auto covers = [&](const Located<DnsDomain>& domain) {
        const std::string name = lower(domain.value.name);
        return name == "." || host == name || host.ends_with("." + name);
      };
      if (std::ranges::any_of(draft.dns_domains, covers))
        report.add(Code::kEndpointThroughDns, endpoint.spot,
                   fmt::format("{} is asked about through this tunnel", endpoint.value.host),
                   {"the tunnel may not find its peer again when that moves",
                    "give the endpoint as an address"});
    }
}

}  // namespace

void read_dns(const TableReader& interface, Draft& draft) {
  const Value* value = interface.find("dns");
  if (!value) return;
  Report& report = interface.report();
  draft.dns_spot = interface.spot("dns");
  if (value->type != Value::Type::kTable) {
    report.add(
        Code::kWrongType, *draft.dns_spot,
        fmt::format("expected a table, got {}", type_name(value->type)),
        {"",
         "write [interface.dns] on a line of its own, and servers = [\"192.168.60.53\"] below"});
    draft.dns_servers_unclear = true;
    return;
  }
  const TableReader table(*value, "interface.dns", "interface.dns", report);
  const auto servers = table.strings("servers");
  draft.dns_servers =
      values_of(servers, parse_dns_server, Code::kDnsServer, "the address of a DNS server", report);
  const Value* written = table.find("servers");
  draft.dns_servers_unclear = draft.dns_servers.size() < servers.size() ||
                              (!written && table.has_or_means("servers")) ||
                              (written && servers.empty() && written->type != Value::Type::kArray);
  draft.dns_domains =
      values_of(table.strings("domains"), parse_dns_domain, Code::kDnsDomain, "a domain", report);
}

void check_dns(const Draft& draft, Report& report) {
  if (!draft.dns_spot) return;
  if (draft.profile.netns.mode != Netns::Mode::kNone)
    report.add(Code::kDnsInNetns, *draft.dns_spot,
               "systemd-resolved does not see an interface in another network namespace",
               {"it runs in the host's",
                fmt::format("remove [interface.dns] or [netns]; programs in a namespace read "
                            "/etc/netns/{}/resolv.conf where `ip netns exec` starts them",
                            draft.profile.netns.name.empty() ? "NAME" : draft.profile.netns.name)});
  check_twice(
      draft.dns_servers, [](const IpAddress& server) { return server.to_string(); }, report);
  check_twice(
      draft.dns_domains, [](const DnsDomain& domain) { return lower(domain.name); }, report);
  if (!draft.dns_domains.empty() && draft.dns_servers.empty() && !draft.dns_servers_unclear)
    report.add(Code::kDomainsWithoutServer, draft.dns_domains.front().spot,
               "there is no server to ask about these domains",
               {"", "add servers = [\"192.168.60.53\"]"});
  check_reach(draft, report);
  check_endpoint_names(draft, report);
}

}  // namespace vpntun::config

#include "session/ways.h"

#include <utility>

#include "os/link.h"
#include "os/route.h"

namespace vpntun::session {

std::vector<std::size_t> Ways::look(os::NetlinkSocket& netlink, const std::vector<PeerFacts>& peers,
                                    Of which, unsigned tunnel, std::uint32_t mark) {
  const std::vector<Way> before = std::exchange(ways_, std::vector<Way>(peers.size()));
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < peers.size(); ++i) {
    if (!peers[i].endpoint) continue;
    const bool stayed = i < before.size() && before[i].endpoint == peers[i].endpoint;
    if (stayed && which == Of::kMoved) {
      ways_[i] = before[i];
      continue;
    }
    os::RouteQuery query;
    query.destination = peers[i].endpoint->address;
    query.mark = mark;
    const os::RouteAnswer answer = os::lookup_route(netlink, query);
    Way& way = ways_[i];
    way.endpoint = peers[i].endpoint;
    if (answer.error_number != 0) continue;
    way.interface = answer.index;
    way.source = answer.source.value_or(IpAddress());
    way.through_tunnel = answer.index == tunnel;
    if (!stayed || way.through_tunnel) continue;
    if (before[i].interface != way.interface || before[i].source != way.source) others.push_back(i);
  }
  return others;
}

std::string way_out_of_host(os::NetlinkSocket& netlink, unsigned tunnel, std::uint32_t mark) {
  os::RouteQuery query;
  query.destination = *IpAddress::parse("198.41.0.4");  // a.root-servers.net; it is not asked
  query.mark = mark;
  const os::RouteAnswer answer = os::lookup_route(netlink, query);
  if (answer.type != os::RouteType::kUnicast || answer.index == tunnel) return {};
  const std::optional<os::Link> link = os::find_link(netlink, answer.index);
  return link ? link->name : std::string();
}

}  // namespace vpntun::session

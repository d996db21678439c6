// How the kernel would send a datagram to each peer: notices ways that lead into the tunnel itself,
// and ways that have become others, which a WireGuard peer should learn of. Thread: control.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "os/netlink.h"
#include "session/health.h"

namespace vpntun::session {

class Ways {
 public:
  // kMoved: asks the kernel only about peers whose endpoint is another one than at the last look.
  enum class Of { kAll, kMoved };
  // tunnel: the index of our own interface; mark: of the datagrams. Returns the peers whose way is
  // another one than at the last look, although their endpoint is not. Throws Error.
  std::vector<std::size_t> look(os::NetlinkSocket& netlink, const std::vector<PeerFacts>& peers,
                                Of which, unsigned tunnel, std::uint32_t mark);
  // Nobody's way is known.
  void forget() { ways_.clear(); }
  bool leads_through_tunnel(std::size_t peer) const {
    return peer < ways_.size() && ways_[peer].through_tunnel;
  }

 private:
  struct Way {
    std::optional<Endpoint> endpoint;
    unsigned interface = 0;  // 0: there is none
    IpAddress source;
    bool through_tunnel = false;
  };

  std::vector<Way> ways_;  // by peer
};

// The interface that a datagram of the tunnel to somewhere on the Internet would leave through;
// empty when there is none, or when it is the tunnel's own. Throws Error.
std::string way_out_of_host(os::NetlinkSocket& netlink, unsigned tunnel, std::uint32_t mark);

}  // namespace vpntun::session

// Many networks, asked quickly whether one of them touches another network. Pure.
#pragma once

#include <optional>
#include <set>
#include <utility>

#include "base/address.h"

namespace vpntun::config {

class PrefixSet {
 public:
  // network: without host bits.
  void insert(const IpPrefix& network) {
    networks_.insert(network);
    lengths_.insert({network.address.family(), network.length});
  }

  // The shortest network that contains the whole prefix.
  std::optional<IpPrefix> containing(const IpPrefix& prefix) const {
    for (const auto& [family, length] : lengths_) {
      if (family != prefix.address.family() || length > prefix.length) continue;
      const IpPrefix candidate = IpPrefix{prefix.address, length}.network();
      if (networks_.contains(candidate)) return candidate;
    }
    return std::nullopt;
  }

  // Whether some network and the prefix (without host bits) have addresses in common.
  bool overlaps(const IpPrefix& prefix) const {
    if (containing(prefix)) return true;
    // Otherwise it can only lie inside the prefix, and the first one behind its beginning then
    // does.
    const auto next = networks_.lower_bound({prefix.address, 0});
    return next != networks_.end() && prefix.contains(*next);
  }

 private:
  std::set<IpPrefix> networks_;
  std::set<std::pair<Family, unsigned>> lengths_;
};

}  // namespace vpntun::config

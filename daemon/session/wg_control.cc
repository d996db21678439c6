#include "session/wg_control.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <map>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/log.h"

namespace vpntun::session {

namespace {

constexpr std::size_t kNameCharacters = 8;  // of the key, where that many tell peers apart

config::EndpointSpec spec_of(const Endpoint& endpoint) {
  return {endpoint.address.to_string(), endpoint.port, endpoint.address};
}

// The peers of a profile while a request changes them.
class PeerEdit {
 public:
  explicit PeerEdit(const std::vector<config::Peer>& peers) {
    for (const config::Peer& peer : peers) {
      index_of_.emplace(peer.public_key, entries_.size());
      names_.insert(peer.name);
      for (const IpPrefix& prefix : peer.allowed_ips) owner_of_[prefix] = entries_.size();
      entries_.push_back({peer, true});
    }
  }

  void remove_all() {
    for (std::size_t i = 0; i < entries_.size(); ++i) remove(i);
  }

  void take(const uapi::PeerChange& change) {
    const auto known = index_of_.find(change.public_key);
    const bool is_there = known != index_of_.end() && entries_[known->second].is_there;
    if (change.remove) {
      if (is_there) remove(known->second);
      return;
    }
    if (change.update_only && !is_there) return;
    const std::size_t index = is_there ? known->second : add(change.public_key);
    config::Peer& peer = entries_[index].peer;
    if (change.preshared_key) {
      peer.preshared_key = change.preshared_key;
      if (change.preshared_key->is_zero()) peer.preshared_key.reset();
    }
    if (change.endpoint) peer.endpoints = {spec_of(*change.endpoint)};
    if (change.persistent_keepalive) peer.persistent_keepalive = *change.persistent_keepalive;
    if (change.replace_allowed_ips) disown(index);
    for (const uapi::AllowedIpChange& each : change.allowed_ips) take(index, each);
  }

  std::vector<config::Peer> result(const crypto::PublicKey& own) && {
    std::vector<config::Peer> peers;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (!entries_[i].is_there || entries_[i].peer.public_key == own) continue;
      // Each that is still its own, once.
      std::erase_if(entries_[i].peer.allowed_ips,
                    [&](const IpPrefix& prefix) { return !release(i, prefix); });
      peers.push_back(std::move(entries_[i].peer));
    }
    return peers;
  }

 private:
  struct Entry {
    config::Peer peer;  // allowed_ips: those it has or had, some maybe twice
    bool is_there = false;
  };

  // A peer that was there before is new again, but for its name.
  std::size_t add(const crypto::PublicKey& key) {
    const auto [known, is_new] = index_of_.try_emplace(key, entries_.size());
    if (is_new) {
      entries_.emplace_back().peer.name = name_of(key);
      names_.insert(entries_.back().peer.name);
    }
    Entry& entry = entries_[known->second];
    config::Peer peer;
    peer.name = std::move(entry.peer.name);
    peer.public_key = key;
    entry = {std::move(peer), true};
    return known->second;
  }

  void remove(std::size_t index) {
    disown(index);
    entries_[index].is_there = false;
  }

  void disown(std::size_t index) {
    for (const IpPrefix& prefix : entries_[index].peer.allowed_ips) release(index, prefix);
    entries_[index].peer.allowed_ips.clear();
  }

  // False: it is not this peer's.
  bool release(std::size_t index, const IpPrefix& prefix) {
    const auto owned = owner_of_.find(prefix);
    if (owned == owner_of_.end() || owned->second != index) return false;
    owner_of_.erase(owned);
    return true;
  }

  void take(std::size_t index, const uapi::AllowedIpChange& change) {
    if (change.remove) {
      release(index, change.prefix);
      return;
    }
    const auto [owned, is_new] = owner_of_.try_emplace(change.prefix, index);
    if (!is_new && owned->second == index) return;
    owned->second = index;
    entries_[index].peer.allowed_ips.push_back(change.prefix);
  }

  // "wg-" and the beginning of the key as wg(8) shows it, in the characters of a name.
  std::string name_of(const crypto::PublicKey& key) const {
    std::string text = key.to_string();
    std::ranges::replace(text, '+', '-');
    std::ranges::replace(text, '/', '_');
    for (std::size_t size = kNameCharacters; size < crypto::kKeyTextSize; ++size)
      if (std::string name = "wg-" + text.substr(0, size); !names_.contains(name)) return name;
    throw Error(ErrorKind::kInvalidArguments, "all names for the peer {} are taken",
                key.to_string());
  }

  std::vector<Entry> entries_;
  std::map<crypto::PublicKey, std::size_t> index_of_;
  std::map<IpPrefix, std::size_t> owner_of_;
  std::set<std::string, std::less<>> names_;
};

int errno_of(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::kNotSupported:
      return EOPNOTSUPP;
    case ErrorKind::kInvalidArguments:
    case ErrorKind::kInvalidProfile:
      return EINVAL;
    case ErrorKind::kAccessDenied:
      return EPERM;
    case ErrorKind::kAddressInUse:
      return EADDRINUSE;
    case ErrorKind::kRouteConflict:
      return EEXIST;
    default:
      return EIO;
  }
}

// Endpoints are set also where the peer was told of them before: it may have moved since.
void move_peers(const WgControl& control, const uapi::SetRequest& request) {
  std::map<crypto::PublicKey, Endpoint> wanted;
  for (const uapi::PeerChange& peer : request.peers)
    if (peer.endpoint) wanted.insert_or_assign(peer.public_key, *peer.endpoint);
  const std::vector<config::Peer>& peers = control.profile().peers;
  for (std::size_t i = 0; i < peers.size(); ++i) {
    const auto at = wanted.find(peers[i].public_key);
    if (at != wanted.end() && peers[i].endpoints == std::vector{spec_of(at->second)})
      control.move(i, at->second);
  }
}

std::string answer_set(const WgControl& control, const uapi::SetRequest& request) {
  try {
    const config::Profile next =
        changed(control.profile(), request, control.listen_port, control.fwmark);
    if (!(next == control.profile())) control.change(next);
    move_peers(control, request);
    return uapi::errno_answer(0);
  } catch (const Error& error) {
    log::warning("a change through the control socket is refused: {}", error.what());
    return uapi::errno_answer(errno_of(error.kind()));
  }
}

}  // namespace

config::Profile changed(const config::Profile& profile, const uapi::SetRequest& request,
                        std::uint16_t listen_port, std::uint32_t fwmark) {
  config::Profile next = profile;
  config::Interface& interface = next.interface;
  // wg(8) says 0 for any port, of which the one in use is one.
  if (request.listen_port && *request.listen_port != 0 && *request.listen_port != listen_port)
    throw Error(ErrorKind::kNotSupported, "a running tunnel stays at UDP port {}", listen_port);
  if (request.fwmark && *request.fwmark != interface.fwmark && *request.fwmark != fwmark)
    throw Error(ErrorKind::kNotSupported, "a running tunnel keeps its mark {:#x}", fwmark);
  if (request.private_key) {
    if (request.private_key->is_zero())
      throw Error(ErrorKind::kNotSupported, "a running tunnel needs a private key");
    // The same key may be written in two ways.
    if (crypto::public_key_of(*request.private_key) != crypto::public_key_of(interface.private_key))
      interface.private_key = *request.private_key;
  }
  PeerEdit peers(profile.peers);
  if (request.replace_peers) peers.remove_all();
  for (const uapi::PeerChange& change : request.peers) peers.take(change);
  next.peers = std::move(peers).result(crypto::public_key_of(interface.private_key));
  return next;
}

std::string answer(const WgControl& control, std::string_view request) {
  const uapi::Request parsed = uapi::parse(request);
  if (const auto* refusal = std::get_if<uapi::Refusal>(&parsed))
    return uapi::errno_answer(refusal->error_number);
  if (const auto* set = std::get_if<uapi::SetRequest>(&parsed)) return answer_set(control, *set);
  return uapi::get_answer(control.profile(), control.status(), control.fwmark);
}

}  // namespace vpntun::session

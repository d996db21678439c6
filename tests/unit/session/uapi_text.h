// A set request as the one text that every text of its meaning becomes.
#pragma once

#include <fmt/format.h>

#include <span>
#include <string>

#include "session/uapi.h"

namespace vpntun::session::uapi {

inline std::string hex(std::span<const std::uint8_t> bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

inline std::string text_of(const PeerChange& peer) {
  std::string text = fmt::format("public_key={}\n", hex(peer.public_key.bytes));
  if (peer.update_only) text += "update_only=true\n";
  if (peer.remove) text += "remove=true\n";
  if (peer.preshared_key)
    text += fmt::format("preshared_key={}\n", hex(peer.preshared_key->expose()));
  if (peer.endpoint) text += fmt::format("endpoint={}\n", peer.endpoint->to_string());
  if (peer.persistent_keepalive)
    text += fmt::format("persistent_keepalive_interval={}\n", *peer.persistent_keepalive);
  if (peer.replace_allowed_ips) text += "replace_allowed_ips=true\n";
  for (const AllowedIpChange& each : peer.allowed_ips)
    text += fmt::format("allowed_ip={}{}\n", each.remove ? "-" : "", each.prefix.to_string());
  return text;
}

inline std::string text_of(const SetRequest& request) {
  std::string text = "set=1\n";
  if (request.private_key)
    text += fmt::format("private_key={}\n", hex(request.private_key->expose()));
  if (request.listen_port) text += fmt::format("listen_port={}\n", *request.listen_port);
  if (request.fwmark) text += fmt::format("fwmark={}\n", *request.fwmark);
  if (request.replace_peers) text += "replace_peers=true\n";
  for (const PeerChange& peer : request.peers) text += text_of(peer);
  return text + "\n";
}

}  // namespace vpntun::session::uapi

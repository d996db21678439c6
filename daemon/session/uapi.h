// The text of wg(8)'s control protocol (https://www.wireguard.com/xplatform/): requests as values,
// and the state of a tunnel as an answer. The text is hostile: bounded by its reader, and refused
// as a whole with the errno that wg(8) shows. Called by session/wg_control.h and the socket. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/address.h"
#include "config/profile.h"
#include "crypto/key.h"
#include "session/status.h"

namespace vpntun::session::uapi {

inline constexpr std::size_t kLargestRequest = 4 << 20;  // bytes: 10,000 peers of 400

struct AllowedIpChange {
  IpPrefix prefix;  // a network, no host bits
  bool remove = false;
  bool operator==(const AllowedIpChange&) const = default;
};

struct PeerChange {
  crypto::PublicKey public_key;
  bool update_only = false;  // nothing happens when there is no such peer
  bool remove = false;
  bool replace_allowed_ips = false;                  // by those of allowed_ips
  std::optional<crypto::SecretKey> preshared_key{};  // all zero: none
  std::optional<Endpoint> endpoint{};
  std::optional<std::uint16_t> persistent_keepalive{};  // seconds; 0: off
  std::vector<AllowedIpChange> allowed_ips{};           // in this order
  bool operator==(const PeerChange&) const = default;
};

// What is not named stays.
struct SetRequest {
  std::optional<crypto::SecretKey> private_key{};  // clamped; all zero: none
  std::optional<std::uint16_t> listen_port{};
  std::optional<std::uint32_t> fwmark{};
  bool replace_peers = false;
  std::vector<PeerChange> peers{};  // in this order; a key may come twice
  bool operator==(const SetRequest&) const = default;
};

struct GetRequest {
  bool operator==(const GetRequest&) const = default;
};

struct Refusal {
  int error_number = 0;
  bool operator==(const Refusal&) const = default;
};

using Request = std::variant<GetRequest, SetRequest, Refusal>;

// Bytes of the request that `received` begins with, its empty line included; 0: not all of it is
// there. nullopt: no request of this protocol begins so. known: so many bytes were there at an
// earlier look that found no end.
std::optional<std::size_t> request_size(std::string_view received, std::size_t known = 0) noexcept;

// One whole request. EPROTO: a line is no key with a value; EINVAL: an unknown key, or a value that
// is none.
Request parse(std::string_view request);

// The whole answer to a get request, with secrets: the caller wipes it. fwmark: what the datagrams
// carry.
std::string get_answer(const config::Profile& profile, const Status& status, std::uint32_t fwmark);
// The answer to what was done (0) or refused.
std::string errno_answer(int error_number);

}  // namespace vpntun::session::uapi

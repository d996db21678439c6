// The host name of one peer's endpoint on its way to an address: when it has to be looked up, and
// what an answer means. Pure: time and answers are arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "session/health.h"

namespace vpntun::session {

// Addresses in the resolver's order of preference (RFC 6724), or why there are none.
struct NameAnswer {
  std::vector<Endpoint> endpoints;
  std::string failure;
};

struct NameRules {
  bool allow_public = false;
  bool ipv6 = true;  // the UDP socket has it
  bool operator==(const NameRules&) const = default;
};

class PeerName {
 public:
  static constexpr Duration kRetryTime = std::chrono::seconds(10);
  static constexpr Duration kSettleTime = std::chrono::seconds(1);
  static constexpr Duration kSilence = std::chrono::seconds(30);

  PeerName(std::string host, std::uint16_t port, NameRules rules)
      : host_(std::move(host)), port_(port), rules_(rules) {}

  const std::string& host() const noexcept { return host_; }
  std::uint16_t port() const noexcept { return port_; }
  NameState state() const noexcept { return state_; }
  const std::string& failure() const noexcept { return failure_; }
  const std::optional<Endpoint>& endpoint() const noexcept { return endpoint_; }

  // Whether to look it up now: the first time, every kRetryTime until it works (kSettleTime after
  // the last time, once the network has changed), and every kSilence while the peer is silent.
  bool due(bool silent, Instant now) const noexcept;
  void asked(Instant now) noexcept;
  void network_changed() noexcept { network_changed_ = true; }
  // A failed lookup keeps an endpoint that is there. Returns whether the endpoint is another one
  // than before.
  bool answered(const NameAnswer& answer);

 private:
  std::string host_;
  std::uint16_t port_;
  NameRules rules_;
  NameState state_ = NameState::kPending;
  std::string failure_;
  std::optional<Endpoint> endpoint_;
  bool asking_ = false;
  bool network_changed_ = false;  // since it was asked for
  std::optional<Instant> last_asked_;
};

}  // namespace vpntun::session

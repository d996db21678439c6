// What wg(8) asks of a running tunnel, done: a set request is a change of the profile that runs,
// accepted whole or not at all. Called by Running for its control socket. Thread: control.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "config/profile.h"
#include "session/status.h"
#include "session/uapi.h"

namespace vpntun::session {

// What the requests are about.
struct WgControl {
  std::function<const config::Profile&()> profile;  // what runs
  std::function<Status()> status;
  std::uint16_t listen_port = 0;  // in use
  std::uint32_t fwmark = 0;       // in use
  // Lets the profile run. Throws Error, and nothing is changed then.
  std::function<void(const config::Profile& next)> change;
  // Sends to the peer (of the profile that runs) at another place.
  std::function<void(std::size_t peer, const Endpoint& endpoint)> move;
};

// The profile after the request; peers that are new in it are named by their public keys, a prefix
// given to one peer is taken from the other that had it, our own public key makes no peer. Throws
// Error kNotSupported for what a running tunnel does not change: its port, its mark, to be without
// a private key. Pure.
config::Profile changed(const config::Profile& profile, const uapi::SetRequest& request,
                        std::uint16_t listen_port, std::uint32_t fwmark);

// The answer, which may have secrets in it: the caller wipes it.
std::string answer(const WgControl& control, std::string_view request);

}  // namespace vpntun::session

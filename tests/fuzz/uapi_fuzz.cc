// Any bytes on the control socket: a request says the same when it is printed and read again, and a
// change of it leaves a profile that holds together.
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string_view>
#include <variant>

#include "../unit/session/uapi_text.h"
#include "base/error.h"
#include "session/uapi.h"
#include "session/wg_control.h"

namespace {

using namespace vpntun;
using namespace vpntun::session;

void require(bool condition) {
  if (!condition) std::abort();
}

config::Profile running() {
  config::Profile profile;
  profile.encryption = config::Encryption::kWireguard;
  profile.interface.private_key = crypto::SecretKey(crypto::PublicKey{{8, 1}}.bytes);
  config::Peer peer;
  peer.name = "one";
  peer.public_key.bytes.fill(0x11);
  peer.allowed_ips = {*IpPrefix::parse("10.0.0.0/8"), *IpPrefix::parse("fd00::/8")};
  profile.peers = {peer};
  return profile;
}

void require_sound(const config::Profile& profile) {
  std::set<std::string> names;
  std::set<crypto::PublicKey> keys{crypto::public_key_of(profile.interface.private_key)};
  std::set<IpPrefix> prefixes;
  for (const config::Peer& peer : profile.peers) {
    require(names.insert(peer.name).second && keys.insert(peer.public_key).second);
    require(config::is_tunnel_name(peer.name));
    for (const IpPrefix& prefix : peer.allowed_ips)
      require(!prefix.has_host_bits() && prefixes.insert(prefix).second);
  }
}

void change_with(const uapi::SetRequest& request) {
  try {
    require_sound(changed(running(), request, 9090, 0));
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::kNotSupported);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto whole = uapi::request_size(text);
  require(!whole || *whole <= size);
  // Also what the socket would never hand on.
  const uapi::Request request = uapi::parse(whole && *whole > 0 ? text.substr(0, *whole) : text);
  if (const auto* refusal = std::get_if<uapi::Refusal>(&request))
    require(refusal->error_number == EPROTO || refusal->error_number == EINVAL);
  if (const auto* set = std::get_if<uapi::SetRequest>(&request)) {
    require(uapi::parse(uapi::text_of(*set)) == request);
    change_with(*set);
  }
  return 0;
}

#include "base/events.h"

#include <algorithm>
#include <array>

namespace vpntun::log {
namespace {

using enum Event;
using enum Level;

constexpr auto kEvents = std::to_array<EventInfo>({
    {kUp, "up", "6871bb92c4f144ed81fb5b77f43f1641", kNotice, false},
    {kGoingDown, "going-down", "276d0f8ca5f244fca2abbfbce8ba4878", kNotice, false},
    {kHandedOver, "handed-over", "2b2f266a2ab94066bbad5210b3ae06e3", kNotice, false},
    {kTakenOver, "taken-over", "210e104203104db59b6e7314bb59e7e6", kNotice, false},
    {kStartFailed, "start-failed", "e94fc2eb05ef48ee9209431d655630f5", kError, false},
    {kNotEncrypted, "not-encrypted", "391f80e595cf4098bc984c97deb79d8e", kWarning, false},
    {kHealthChanged, "health-changed", "f2844e10898343bc87a95ec9e1eb4d20", kNotice, true},
    {kEndpointLearned, "endpoint-learned", "05d5ddb140d54bf0848b55e8cb8214a2", kNotice, true},
    {kEndpointMoved, "endpoint-moved", "5e9debfd89494480b8e7dddf46714a48", kNotice, true},
    {kPeerConnected, "peer-connected", "be2dc0c79a3441e29170374e7044526e", kNotice, true},
    {kPeerRefused, "peer-refused", "0bad2eaed8ef42989aa22a91a626e8eb", kNotice, true},
    {kNameResolved, "name-resolved", "124a9d45b19046418271054a28ab350e", kNotice, true},
    {kNameFailed, "name-failed", "835a7a7d6da14e2ba552c4b633862ef6", kWarning, true},
    {kOffloadLost, "offload-lost", "886aa0df2a1a477b9c7cd7f44718a54e", kInfo, false},
    {kInterfaceDeleted, "interface-deleted", "394956e7ef9b4fd59a67298a16919f9d", kError, false},
    {kDataPathStuck, "data-path-stuck", "5cfa94b312d74abf81818fa0bf256109", kError, false},
    {kReloaded, "reloaded", "349181e9e7f64b6d9d054c26d409b94f", kNotice, false},
    {kReloadRefused, "reload-refused", "9bdcb192616043ed9bf1f808909af1c0", kWarning, false},
    {kChangedByWg, "changed-by-wg", "d1b511728ae441a886da72278394083f", kNotice, true},
    {kDescriptorAdopted, "descriptor-adopted", "557a2830807d4b649d0b1e09e0c84b5d", kInfo, false},
    {kDescriptorDropped, "descriptor-dropped", "41bdc36d2bf448cea1125ad727bda841", kWarning, false},
    {kDnsSet, "dns-set", "15fcad73ae6543da931501198bc4a372", kInfo, false},
    {kCaptureStarted, "capture-started", "d89eebcc9c02483bbe6f547ff1ec5277", kNotice, true},
    {kSecretsCaptured, "secrets-captured", "d1d4be2d50864a168abaca68d3cbf40d", kWarning, false},
    {kCaptureEnded, "capture-ended", "db3c7a6a648d4743b8ada19a6a44b77b", kInfo, true},
    {kPacketInjected, "packet-injected", "9323de472e324f52a9c5597be3c8f6a8", kNotice, true},
    {kManagerUp, "manager-up", "92fe61f47a284408a75ae0a3b9f883c2", kInfo, false},
    {kTunnelChanged, "tunnel-changed", "9a44f2bc76f04ddabf7ef318912fdc8f", kInfo, false},
    {kTunnelFailed, "tunnel-failed", "400f387712a04aadba5a5b761a40eddc", kWarning, false},
    {kSessionKilled, "session-killed", "a665902ad7e84c059737aafc324fda23", kWarning, false},
    {kSessionIgnored, "session-ignored", "99a8cce09f5d432aa13cb0e3d4e57deb", kWarning, true},
    {kProfileIgnored, "profile-ignored", "a6239ca09d164cf79d56fd91e737a13b", kWarning, false},
    {kCallerRefused, "caller-refused", "f9225dcd170c4974b8d16e04b4b2aeda", kWarning, true},
    {kLogLevelSet, "log-level-set", "6939d8eeb39e4e78a4519d2708fb82ba", kNotice, false},
});

// info_of() looks events up by their place.
constexpr bool is_in_order() {
  for (std::size_t at = 0; at < kEvents.size(); ++at)
    if (static_cast<std::size_t>(kEvents[at].event) != at) return false;
  return true;
}
static_assert(is_in_order());

constexpr std::array<std::string_view, 8> kLevelWords{"emerg",   "alert",  "crit", "err",
                                                      "warning", "notice", "info", "debug"};

}  // namespace

std::span<const EventInfo> events() noexcept {
  return kEvents;
}

const EventInfo& info_of(Event event) noexcept {
  return kEvents[static_cast<std::size_t>(event)];
}

std::string_view to_string(Level level) noexcept {
  return kLevelWords[static_cast<std::size_t>(level)];
}

std::optional<Level> level_of(std::string_view word) noexcept {
  const auto at = std::find(kLevelWords.begin(), kLevelWords.end(), word);
  if (at == kLevelWords.end()) return std::nullopt;
  return static_cast<Level>(at - kLevelWords.begin());
}

}  // namespace vpntun::log

// What a line of the log is made of, and the one table of the events that lines can tell: each with
// a word for VPNTUN_EVENT=, a MESSAGE_ID= that systemd/vpntun.catalog explains, and a priority.
// Read by the log, by its sinks and by the tests that hold table and catalogue together. Thread:
// any.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vpntun::log {

// The numbers are those of syslog(3).
enum class Level {
  kEmergency,
  kAlert,
  kCritical,
  kError,
  kWarning,
  kNotice,
  kInfo,
  kDebug,
};
// The words of journalctl and systemctl: "emerg", "alert", "crit", "err", "warning", ...
std::string_view to_string(Level level) noexcept;
std::optional<Level> level_of(std::string_view word) noexcept;

enum class Event : std::uint8_t {
  // A session.
  kUp,
  kGoingDown,
  kHandedOver,  // it ends, and leaves the tunnel in place for the session that follows
  kTakenOver,   // what an earlier session left in place goes on in this one
  kStartFailed,
  kNotEncrypted,
  kHealthChanged,
  kEndpointLearned,
  kEndpointMoved,
  kPeerConnected,  // a session of the WireGuard transport where there was none
  kPeerRefused,    // by ICMP
  kNameResolved,
  kNameFailed,
  kOffloadLost,
  kInterfaceDeleted,
  kDataPathStuck,
  kReloaded,
  kReloadRefused,
  kChangedByWg,  // through the control socket
  kDescriptorAdopted,
  kDescriptorDropped,
  kDnsSet,
  kCaptureStarted,
  kSecretsCaptured,  // and the keys with them
  kCaptureEnded,
  kPacketInjected,
  // The manager.
  kManagerUp,
  kTunnelChanged,
  kTunnelFailed,
  kSessionKilled,
  kSessionIgnored,  // somebody else's process has a session's name
  kProfileIgnored,
  // Both.
  kCallerRefused,
  kLogLevelSet,
};

struct EventInfo {
  Event event;
  std::string_view word;        // lower case with hyphens; stable
  std::string_view message_id;  // 32 hexadecimal digits; stable
  Level level;
  // Others can bring it about as often as they like, so repeats are folded (base/folding.h).
  bool folds;
};
std::span<const EventInfo> events() noexcept;
const EventInfo& info_of(Event event) noexcept;

// What a line is about, in words a program can look for. Empty: not said.
struct Fields {
  std::string tunnel = {};     // VPNTUN_TUNNEL; of a session's own lines set by init()
  std::string peer = {};       // VPNTUN_PEER
  std::string reason = {};     // VPNTUN_REASON: a stable code, as that of a health or of an error
  std::string endpoint = {};   // VPNTUN_ENDPOINT
  std::string interface = {};  // INTERFACE
  bool operator==(const Fields&) const = default;
};

struct Line {
  Level level = Level::kInfo;
  std::optional<Event> event;  // none: a remark
  Fields fields;
  std::string text;
  unsigned repeated = 0;  // so many more like it were folded into this one
  bool operator==(const Line&) const = default;
};

}  // namespace vpntun::log

// sdbus-c++, the D-Bus library: the only file that knows that there are two versions of it. Debian
// 12 has 1.2, Debian 13 has 2.1. Everything is written for 2.x; what 1.x lacks or does otherwise is
// made up for here, and goes when 1.x goes. Included by bus and ctl.
#pragma once

#include <sdbus-c++/sdbus-c++.h>
#include <systemd/sd-bus.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#if VPNTUN_SDBUS_MAJOR < 2
// The types of names that 2.x tells apart.
namespace sdbus {
using ServiceName = std::string;
using InterfaceName = std::string;
using MethodName = std::string;
using PropertyName = std::string;
}  // namespace sdbus
#endif

namespace vpntun::dbus {

inline sdbus::Error error(const std::string& name, const std::string& message) {
#if VPNTUN_SDBUS_MAJOR < 2
  return {name, message};
#else
  return {sdbus::Error::Name(name), message};
#endif
}

// The argument of uponReplyInvoke(): `replied` is called with the error, if it is one, and the
// results, which are empty then.
template <typename... Results, typename Replied>
auto on_reply(Replied replied) {
#if VPNTUN_SDBUS_MAJOR < 2
  return std::function<void(const sdbus::Error*, const Results&...)>(
      [replied = std::move(replied)](const sdbus::Error* failure, const Results&... results) {
        replied(failure == nullptr ? std::nullopt : std::optional(*failure), results...);
      });
#else
  return std::function<void(std::optional<sdbus::Error>, const Results&...)>(std::move(replied));
#endif
}

// Calls `received(sdbus::Message&)` for what the rule lets through, while the slot lives. Blocks on
// the bus.
template <typename Received>
[[nodiscard]] sdbus::Slot add_match(sdbus::IConnection& connection, const std::string& rule,
                                    Received received) {
#if VPNTUN_SDBUS_MAJOR < 2
  return connection.addMatch(rule, std::move(received));
#else
  return connection.addMatch(
      rule, [received = std::move(received)](sdbus::Message message) { received(message); },
      sdbus::return_slot);
#endif
}

// libsystemd's message inside, for what sdbus-c++ does not pass on.
inline sd_bus_message* inside(const sdbus::Message& message) {
  struct Opened : sdbus::Message {
    static constexpr auto message() { return &Opened::msg_; }
  };
  return static_cast<sd_bus_message*>(message.*Opened::message());
}

// And its connection, of which the proxy is one end.
inline sd_bus* inside(sdbus::IProxy& proxy) {
  const sdbus::MethodCall any = proxy.createMethodCall(
      sdbus::InterfaceName("org.freedesktop.DBus.Peer"), sdbus::MethodName("Ping"));
  return ::sd_bus_message_get_bus(inside(any));
}

struct Caller {
  std::string name;           // unique bus name
  bool may_be_asked = false;  // for a password: it allows interactive authorization
};

// Who called the method of this object that is being executed.
inline Caller caller(const sdbus::IObject& object) {
#if VPNTUN_SDBUS_MAJOR < 2
  const sdbus::Message& message = *object.getCurrentlyProcessedMessage();
#else
  const sdbus::Message message = object.getCurrentlyProcessedMessage();
#endif
  return {message.getSender(),
          ::sd_bus_message_get_allow_interactive_authorization(inside(message)) > 0};
}

// From now on whoever sits here may be asked for a password because of calls of this connection.
inline void allow_interactive_authorization(sdbus::IProxy& proxy) {
  ::sd_bus_set_allow_interactive_authorization(inside(proxy), 1);
}

// Performs one message or timeout that is due; false when there is none.
inline bool process_one(sdbus::IConnection& connection) {
#if VPNTUN_SDBUS_MAJOR < 2
  return connection.processPendingRequest();
#else
  return connection.processPendingEvent();
#endif
}

// How long until something is due; none when nothing is waited for.
inline std::optional<std::chrono::microseconds> due_in(const sdbus::IConnection::PollData& poll) {
  const std::optional<std::chrono::microseconds> wait = poll.getRelativeTimeout();
  return wait == std::chrono::microseconds::max() ? std::nullopt : wait;
}

}  // namespace vpntun::dbus

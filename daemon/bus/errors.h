// Our errors as D-Bus errors: the only place where the one becomes the other. Called by the
// objects. Thread: control.
#pragma once

#include <exception>
#include <functional>
#include <string>
#include <utility>

#include "base/error.h"
#include "dbus/sdbus.h"

namespace vpntun::bus {

// By dbus/error_names.h; the text is made fit for a D-Bus string.
sdbus::Error to_dbus(const Error& error);
// Of the exception being handled. Anything that is neither ours nor sdbus's becomes Failed.
sdbus::Error current_to_dbus();
// org.freedesktop.DBus.Error.LimitsExceeded
sdbus::Error limits_exceeded(const std::string& text);
// Says in the log what the exception being handled is: `where` is what was under way.
void log_current(const char* where) noexcept;

// Runs the body of a method: whatever it throws becomes the error reply.
template <typename Body>
auto guarded(Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (...) {
    throw current_to_dbus();
  }
}

// A callback for sd-bus to call: no exception may cross its C frames, so it ends in the log.
template <typename Callback>
auto shielded(const char* where, Callback callback) {
  return [where, callback = std::move(callback)](auto&&... arguments) {
    try {
      callback(std::forward<decltype(arguments)>(arguments)...);
    } catch (...) {
      log_current(where);
    }
  };
}

}  // namespace vpntun::bus

#include "bus/errors.h"

#include "base/log.h"
#include "dbus/error_names.h"

namespace vpntun::bus {

namespace {

constexpr std::size_t kMaximumText = 2000;

}  // namespace

sdbus::Error to_dbus(const Error& error) {
  return dbus::error(std::string(dbus::name_of(error.kind()).name),
                     escaped(error.what(), kMaximumText));
}

sdbus::Error current_to_dbus() {
  try {
    throw;
  } catch (const sdbus::Error& error) {
    return error;
  } catch (const Error& error) {
    return to_dbus(error);
  } catch (const std::exception& error) {
    return to_dbus(Error(ErrorKind::kFailed, std::string(error.what())));
  }
}

sdbus::Error limits_exceeded(const std::string& text) {
  return dbus::error("org.freedesktop.DBus.Error.LimitsExceeded", text);
}

void log_current(const char* where) noexcept {
  try {
    throw;
  } catch (const std::exception& error) {
    log::error("{}: {}", where, error.what());
  } catch (...) {
    log::error("{}: unknown exception", where);
  }
}

}  // namespace vpntun::bus

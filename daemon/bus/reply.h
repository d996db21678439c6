// Replies to methods that end later. A caller that is gone by then changes nothing. Thread:
// control.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "bus/errors.h"
#include "dbus/sdbus.h"

namespace vpntun::bus {

// sdbus::Result as something a std::function can hold.
template <typename... Values>
class Reply {
 public:
  explicit Reply(sdbus::Result<Values...>&& result)
      : result_(std::make_shared<sdbus::Result<Values...>>(std::move(result))) {}

  // What cannot be written (no descriptor is left for a copy of one) becomes an error: who asks
  // must not wait for nothing.
  void operator()(const Values&... values) const {
    try {
      result_->returnResults(values...);
    } catch (...) {
      log_current("reply");
      fail(current_to_dbus());
    }
  }
  void fail(const sdbus::Error& error) const {
    shielded("reply", [&] { result_->returnError(error); })();
  }

 private:
  std::shared_ptr<sdbus::Result<Values...>> result_;
};

// What a callback with an error or else the values takes.
template <typename... Values>
auto reply_or_fail(sdbus::Result<Values...>&& result) {
  return [reply = Reply(std::move(result))](const std::optional<sdbus::Error>& error,
                                            const Values&... values) {
    error ? reply.fail(*error) : reply(values...);
  };
}

}  // namespace vpntun::bus

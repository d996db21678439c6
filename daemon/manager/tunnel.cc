#include "manager/tunnel.h"

#include <utility>

#include "dbus/error_names.h"

namespace vpntun::manager {

// The last word of the D-Bus error name in the spelling of the reason codes.
std::string reason_code(ErrorKind kind) {
  const std::string_view name = dbus::name_of(kind).name;
  std::string code;
  for (const char letter : name.substr(name.rfind('.') + 1)) {
    const bool capital = letter >= 'A' && letter <= 'Z';
    if (capital && !code.empty()) code += '-';
    code += capital ? static_cast<char>(letter - 'A' + 'a') : letter;
  }
  return code;
}

bool Tunnel::is_active() const noexcept {
  return state_ != Lifecycle::kStopped && state_ != Lifecycle::kFailed;
}

Health Tunnel::health() const noexcept {
  return is_running() && session_ ? session_->health : Health::kUnknown;
}

const Reason& Tunnel::reason() const noexcept {
  return is_running() && session_ ? session_->reason : reason_;
}

std::string Tunnel::kind() const {
  if (is_running() && session_) return session_->kind;
  return profile_ ? profile_->kind : "";
}

std::string Tunnel::encryption() const {
  if (is_running() && session_) return session_->encryption;
  return profile_ ? profile_->encryption : "";
}

bool Tunnel::is_stale() const noexcept {
  if (!is_running() || !session_) return false;
  return !profile_ || profile_->path != session_->profile_path ||
         profile_->time_usec != session_->profile_time_usec;
}

void Tunnel::transition(Lifecycle to, Reason why) {
  if (!is_legal(state_, to))
    throw Error(ErrorKind::kFailed, "tunnel {}: no way from {} to {}", name_, to_string(state_),
                to_string(to));
  state_ = to;
  reason_ = std::move(why);
}

}  // namespace vpntun::manager

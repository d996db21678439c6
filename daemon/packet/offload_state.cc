#include "packet/offload_state.h"

#include <cstring>

namespace vpntun::packet {

std::string_view to_string(OffloadKind kind) noexcept {
  switch (kind) {
    case OffloadKind::kTso4:
      return "tso4";
    case OffloadKind::kTso6:
      return "tso6";
    case OffloadKind::kUso4:
      return "uso4";
    case OffloadKind::kUso6:
      return "uso6";
    case OffloadKind::kUdpSegment:
      return "udp-segment";
    case OffloadKind::kUdpGro:
      break;
  }
  return "udp-gro";
}

OffloadState first_state(OffloadKind kind, bool wanted, int error_number) noexcept {
  if (!wanted) return {.kind = kind, .is = OffloadState::Is::kForbidden};
  if (error_number == 0) return {.kind = kind};
  return {.kind = kind, .is = OffloadState::Is::kNotSupported, .error_number = error_number};
}

// The texts are about one as well as about several.
Reason reason_of(const OffloadState& state) {
  switch (state.is) {
    case OffloadState::Is::kForbidden:
      return {.code = "forbidden", .text = "forbidden"};
    case OffloadState::Is::kNotSupported:
      return {
          .code = "not-supported",
          .text = std::string("not offered by the kernel: ") + std::strerror(state.error_number)};
    case OffloadState::Is::kOpenedWithout:
      return {.code = "opened-without",
              .text = "the interface was opened without by an earlier session"};
    case OffloadState::Is::kRefused:
      return {.code = "refused",
              .text = std::string("refused on the way out: ") + std::strerror(state.error_number)};
    case OffloadState::Is::kOn:
      break;
  }
  return {};
}

}  // namespace vpntun::packet

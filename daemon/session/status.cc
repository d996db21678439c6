#include "session/status.h"

namespace vpntun::session {

std::string_view to_string(EndpointSource source) noexcept {
  switch (source) {
    case EndpointSource::kConfigured:
      return "configured";
    case EndpointSource::kResolved:
      return "resolved";
    case EndpointSource::kLearned:
      return "learned";
    case EndpointSource::kNone:
      break;
  }
  return "none";
}

}  // namespace vpntun::session

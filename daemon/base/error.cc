#include "base/error.h"

#include <cerrno>
#include <system_error>

namespace vpntun {

ErrorKind kind_of_errno(int error_number) noexcept {
  switch (error_number) {
    case EADDRINUSE:
      return ErrorKind::kAddressInUse;
    case EPERM:
    case EACCES:
      return ErrorKind::kAccessDenied;
    case EOPNOTSUPP:
    case ENOSYS:
    case EAFNOSUPPORT:
      return ErrorKind::kNotSupported;
    case ETIMEDOUT:
      return ErrorKind::kTimeout;
    default:
      return ErrorKind::kFailed;
  }
}

void throw_errno(int error_number, std::string_view attempted) {
  throw Error(kind_of_errno(error_number), "{}: {}", attempted,
              std::generic_category().message(error_number));
}

}  // namespace vpntun

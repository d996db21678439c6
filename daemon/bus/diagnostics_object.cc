#include "bus/diagnostics_object.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>
#include <vector>

#include "bus/control.h"
#include "bus/errors.h"
#include "bus/reply.h"
#include "dbus/names.h"

namespace vpntun::bus {

namespace {

constexpr off_t kMaximumPacket = 65535;

template <typename Value>
void take_option(const Dictionary& options, const char* key, Value& into) {
  const auto at = options.find(key);
  if (at == options.end()) return;
  if (!at->second.containsValueOfType<Value>())
    throw Error(ErrorKind::kInvalidArguments, "option \"{}\" has the wrong type", key);
  into = at->second.get<Value>();
}

session::CaptureOptions capture_options(const Dictionary& options) {
  refuse_unknown_options(options, {"snaplen", "inner", "outer"});
  session::CaptureOptions wanted;
  take_option(options, "snaplen", wanted.snaplen);
  take_option(options, "inner", wanted.inner);
  take_option(options, "outer", wanted.outer);
  if (!wanted.inner && !wanted.outer)
    throw Error(ErrorKind::kInvalidArguments, "a capture of neither inner nor outer packets");
  return wanted;
}

// Sealed, so that the bytes cannot change and the read cannot block, whoever else has the
// descriptor.
std::vector<std::uint8_t> packet_in(int descriptor) {
  constexpr int kWanted = F_SEAL_WRITE | F_SEAL_SHRINK;
  const int seals = ::fcntl(descriptor, F_GET_SEALS);
  if (seals < 0 || (seals & kWanted) != kWanted)
    throw Error(ErrorKind::kInvalidArguments,
                "the packet must be a memfd sealed with F_SEAL_WRITE and F_SEAL_SHRINK");
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) throw_errno(errno, "look at the packet");
  if (status.st_size < 1 || status.st_size > kMaximumPacket)
    throw Error(ErrorKind::kInvalidArguments, "a packet has 1 to {} bytes, not {}", kMaximumPacket,
                status.st_size);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(status.st_size));
  const ssize_t length = ::pread(descriptor, bytes.data(), bytes.size(), 0);
  if (length != status.st_size)
    throw Error(ErrorKind::kInvalidArguments, "the packet cannot be read");
  return bytes;
}

}  // namespace

DiagnosticsObject::DiagnosticsObject(Connection& connection, Authority& authority,
                                     session::Session& session)
    : AdaptorInterfaces(connection.sdbus(), std::string(dbus::kSessionPath)),
      authority_(authority),
      session_(session) {
  registerAdaptor();
}

DiagnosticsObject::~DiagnosticsObject() {
  unregisterAdaptor();
}

void DiagnosticsObject::Capture(sdbus::Result<sdbus::UnixFd>&& result, Dictionary options) {
  guarded([&] {
    const session::CaptureOptions wanted = capture_options(options);
    const std::string caller = getObject().getCurrentlyProcessedMessage()->getSender();
    authority_.check(caller, action_of(INTERFACE_NAME, "Capture"),
                     [this, wanted, reply = Reply(std::move(result))](
                         const std::optional<sdbus::Error>& refused) {
                       if (refused) return reply.fail(*refused);
                       try {
                         reply(sdbus::UnixFd(session_.capture(wanted).release(), sdbus::adopt_fd));
                       } catch (...) {
                         reply.fail(current_to_dbus());
                       }
                     });
  });
}

void DiagnosticsObject::Inject(sdbus::Result<>&& result, sdbus::UnixFd packet, Dictionary options) {
  guarded([&] {
    refuse_unknown_options(options, {});
    const std::string caller = getObject().getCurrentlyProcessedMessage()->getSender();
    const auto written = [reply =
                              Reply(std::move(result))](const std::optional<sdbus::Error>& error) {
      error ? reply.fail(*error) : reply();
    };
    const auto allowed = [this, packet, written] {
      session_.inject(packet_in(packet.get()), [written](int error_number) {
        if (error_number == 0) return written(std::nullopt);
        written(to_dbus(Error(ErrorKind::kFailed, "the kernel refused the packet: {}",
                              std::generic_category().message(error_number))));
      });
    };
    authority_.check(caller, action_of(INTERFACE_NAME, "Inject"),
                     [allowed, written](const std::optional<sdbus::Error>& refused) {
                       if (refused) return written(refused);
                       try {
                         allowed();
                       } catch (...) {
                         written(current_to_dbus());
                       }
                     });
  });
}

}  // namespace vpntun::bus

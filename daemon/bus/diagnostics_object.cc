#include "bus/diagnostics_object.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/log.h"
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

void log_capture(const session::CaptureOptions& wanted, std::uint32_t user) {
  if (wanted.secrets)
    log::event(log::Event::kSecretsCaptured, {},
               "user {} captures packets with the tunnel's private key and the secrets of its "
               "sessions",
               user);
  else
    log::event(log::Event::kCaptureStarted, {}, "user {} captures packets", user);
}

}  // namespace

DiagnosticsObject::DiagnosticsObject(Connection& connection, Authority& authority,
                                     session::Session& session)
    : AdaptorInterfaces(connection.sdbus(), sdbus::ObjectPath(std::string(dbus::kSessionPath))),
      authority_(authority),
      session_(session) {
  registerAdaptor();
}

DiagnosticsObject::~DiagnosticsObject() {
  unregisterAdaptor();
}

void DiagnosticsObject::Capture(sdbus::Result<sdbus::UnixFd>&& result, Dictionary options) {
  guarded([&] { capture(std::move(result), "Capture", capture_options(options)); });
}

void DiagnosticsObject::CaptureWithSecrets(sdbus::Result<sdbus::UnixFd>&& result,
                                           Dictionary options) {
  guarded([&] {
    session::CaptureOptions wanted = capture_options(options);
    if (!wanted.outer)
      throw Error(ErrorKind::kInvalidArguments, "secrets without the packets that they decrypt");
    wanted.secrets = true;
    capture(std::move(result), "CaptureWithSecrets", wanted);
  });
}

void DiagnosticsObject::capture(sdbus::Result<sdbus::UnixFd>&& result, std::string_view method,
                                const session::CaptureOptions& wanted) {
  const dbus::Caller caller = dbus::caller(getObject());
  authority_.check(caller, asked_of(INTERFACE_NAME, method), session_.profile().name,
                   [this, wanted, reply = Reply(std::move(result))](
                       const std::optional<sdbus::Error>& refused, std::uint32_t user) {
                     if (refused) return reply.fail(*refused);
                     try {
                       UniqueFd stream = session_.capture(wanted);
                       log_capture(wanted, user);
                       reply(sdbus::UnixFd(stream.release(), sdbus::adopt_fd));
                     } catch (...) {
                       reply.fail(current_to_dbus());
                     }
                   });
}

void DiagnosticsObject::inject(int packet, std::uint32_t user, Written written) {
  const auto waits = std::make_shared<Written>(std::move(written));
  session_.inject(packet_in(packet), [this, borrowed = std::weak_ptr(waits), user](int why) {
    const auto reply = borrowed.lock();
    if (!reply) return;
    waiting_.erase(reply);
    if (why != 0)
      return (*reply)(to_dbus(Error(ErrorKind::kFailed, "the kernel refused the packet: {}",
                                    std::generic_category().message(why))));
    log::event(log::Event::kPacketInjected, {}, "user {} injected a packet", user);
    (*reply)(std::nullopt);
  });
  waiting_.insert(waits);
}

void DiagnosticsObject::Inject(sdbus::Result<>&& result, sdbus::UnixFd packet, Dictionary options) {
  guarded([&] {
    refuse_unknown_options(options, {});
    const dbus::Caller caller = dbus::caller(getObject());
    const auto written = [reply =
                              Reply(std::move(result))](const std::optional<sdbus::Error>& error) {
      error ? reply.fail(*error) : reply();
    };
    authority_.check(
        caller, asked_of(INTERFACE_NAME, "Inject"), session_.profile().name,
        [this, packet, written](const std::optional<sdbus::Error>& refused, std::uint32_t user) {
          if (refused) return written(refused);
          try {
            inject(packet.get(), user, written);
          } catch (...) {
            written(current_to_dbus());
          }
        });
  });
}

}  // namespace vpntun::bus

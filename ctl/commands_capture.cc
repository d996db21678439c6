// capture: the packets of a tunnel as text, or as pcapng into a file.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <optional>

#include "base/log.h"
#include "ctl/capture_text.h"
#include "ctl/commands.h"
#include "ctl/stop_signal.h"

namespace vpntun::ctl {
namespace {

using Clock = std::chrono::steady_clock;

// How long a packet's other half is waited for.
constexpr std::chrono::milliseconds kQuiet{200};

[[noreturn]] void throw_is_there(const std::string& file) {
  throw Failure(1, fmt::format("{} is there already: secrets go into a new file", escaped(file)));
}

// The file of --write: takes whole blocks only, so that it is complete whenever we end.
class CaptureFile {
 public:
  // secret: nobody else may have the file open, or a way to it.
  CaptureFile(const std::string& path, bool secret) : name_(path) {
    if (path == "-") {
      fd_.reset(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    } else {
      // Inner packets are the user's own affair.
      const int which = secret ? O_EXCL | O_NOFOLLOW : O_TRUNC;
      fd_.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | which, 0600));
    }
    if (!fd_ && secret && errno == EEXIST) throw_is_there(name_);
    if (!fd_) fail("open");
  }

  void feed(std::span<const std::uint8_t> bytes) {
    waiting_.insert(waiting_.end(), bytes.begin(), bytes.end());
  }
  // Writes what was fed but its last `keep` bytes.
  void write_all_but(std::size_t keep) {
    const std::size_t wanted = waiting_.size() - std::min(keep, waiting_.size());
    std::size_t done = 0;
    while (done < wanted) {
      const ssize_t written = ::write(fd_.get(), waiting_.data() + done, wanted - done);
      if (written < 0 && errno != EINTR) fail("write");
      if (written > 0) done += static_cast<std::size_t>(written);
    }
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(wanted));
  }

 private:
  [[noreturn]] void fail(std::string_view verb) const {
    throw Failure(1, fmt::format("cannot {} {}: {}", verb, escaped(name_), std::strerror(errno)));
  }

  std::string name_;
  UniqueFd fd_;
  std::vector<std::uint8_t> waiting_;
};

class Capture {
 public:
  Capture(const Options& options, const Console& console)
      : options_(options), console_(console), text_(options.hex_dump) {
    if (!options.write_file.empty()) file_.emplace(options.write_file, options.with_secrets);
  }

  bool enough() const { return options_.count != 0 && text_.packets() >= options_.count; }

  // Throws Failure when the stream is no capture, or the file cannot be written.
  void feed(std::span<const std::uint8_t> bytes) {
    reader_.feed(bytes);
    if (file_) file_->feed(bytes);
    while (!enough()) {
      const std::optional<CaptureRecord> record = reader_.next();
      if (file_) file_->write_all_but(reader_.pending());
      if (!record) break;
      print(text_.add(*record));
    }
    if (reader_.failed())
      throw Failure(1, "the daemon's capture cannot be read: " + reader_.error());
  }
  // Nothing came for a while, or nothing will.
  void quiet() { print(text_.rest()); }

  std::string summary() const {
    std::uint64_t lost = 0;
    for (const auto& interface : reader_.interfaces()) lost += interface.dropped;
    return fmt::format("{}, {} lost.\n", count_text(text_.packets(), "packet"), lost);
  }

 private:
  void print(const std::string& lines) {
    if (!file_ && !lines.empty()) console_.out << lines << std::flush;
  }

  const Options& options_;
  const Console& console_;
  packet::PcapngReader reader_;
  CaptureText text_;
  std::optional<CaptureFile> file_;
};

std::optional<Clock::time_point> deadline_of(const Options& options) {
  if (options.duration_seconds <= 0) return std::nullopt;
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(
                            std::chrono::duration<double>(options.duration_seconds));
}

// Until enough packets came, the time is over, the user stops us or the stream ends.
void follow(int stream, Capture& capture, std::optional<Clock::time_point> deadline,
            const StopSignal& stop) {
  std::array<std::uint8_t, 65536> buffer;
  while (!capture.enough()) {
    std::chrono::milliseconds patience = kQuiet;
    if (deadline) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now());
      if (left <= left.zero()) break;
      patience = std::min(patience, left);
    }
    const StopSignal::Woken woken = stop.wait(stream, patience);
    if (woken == StopSignal::Woken::kStop) break;
    if (woken == StopSignal::Woken::kTimeout) {
      capture.quiet();
      continue;
    }
    const ssize_t count = ::read(stream, buffer.data(), buffer.size());
    if (count == 0) break;
    if (count < 0 && errno != EINTR && errno != EAGAIN)
      throw Failure(1, fmt::format("cannot read the capture: {}", std::strerror(errno)));
    if (count > 0) capture.feed(std::span(buffer).first(static_cast<std::size_t>(count)));
  }
  if (!capture.enough()) capture.quiet();
}

void check_options(const Options& options) {
  if (options.write_file == "-" && ::isatty(STDOUT_FILENO) != 0)
    throw Failure(kExitUsage, "standard output is a terminal, and pcapng is not for reading",
                  "Pipe it: vpnctl capture NAME -w - | tshark -r -");
  if (!options.write_file.empty() && options.hex_dump)
    throw Failure(kExitUsage, "--hex and --write exclude each other: the file has all bytes");
  if (options.write_file.empty() && options.snaplen != 0)
    throw Failure(kExitUsage, "--snaplen goes with --write: text needs whole packets");
  if (options.with_secrets && options.write_file.empty())
    throw Failure(kExitUsage, "--with-secrets goes with --write: keys are not for reading",
                  "For Wireshark: vpnctl capture NAME --with-secrets -w FILE");
  if (options.with_secrets && options.snaplen != 0)
    throw Failure(
        kExitUsage,
        "--with-secrets and --snaplen exclude each other: a packet that was cut cannot be "
        "decrypted");
  if (options.json)
    throw Failure(kExitUsage, "capture has no JSON form",
                  "For programs: vpnctl capture NAME -w FILE (pcapng)");
}

// No core dump, and no debugger of another program of the same user.
void keep_secrets(const Options& options, const Console& console) {
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (options.write_file == "-") return warn_of_readers(console);
  // Before the daemon makes keys for it; that nobody is faster, opening it will see.
  if (std::filesystem::exists(std::filesystem::symlink_status(options.write_file)))
    throw_is_there(options.write_file);
}

}  // namespace

int capture(const Options& options, const Console& console) {
  check_options(options);
  const StopSignal stop;
  Client client(std::chrono::seconds(options.timeout_seconds));
  if (options.with_secrets) keep_secrets(options, console);
  const UniqueFd stream =
      client.capture(options.names.front(), options.snaplen, options.with_secrets);
  Capture capture(options, console);
  if (!options.quiet)
    console.err << fmt::format("Capturing {}; Ctrl-C ends.\n", options.names.front()) << std::flush;
  if (!options.quiet && options.with_secrets)
    console.err << "Who gets the file gets the tunnel's private key. Each peer's packets can be "
                   "decrypted from its next handshake on, which follows within seconds.\n"
                << std::flush;
  follow(stream.get(), capture, deadline_of(options), stop);
  if (!options.quiet) console.err << capture.summary() << std::flush;
  return 0;
}

}  // namespace vpntun::ctl

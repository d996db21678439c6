// inject: one packet into the interface of a tunnel.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "ctl/commands.h"
#include "ctl/injected_packet.h"
#include "packet/describe.h"

namespace vpntun::ctl {
namespace {

// Everything of a descriptor, as far as a packet can be long and one byte more.
std::vector<std::uint8_t> read_all(int fd, std::string_view what) {
  std::vector<std::uint8_t> bytes(kMaxInjected + 1);
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t count = ::read(fd, bytes.data() + size, bytes.size() - size);
    if (count == 0) break;
    if (count < 0 && errno != EINTR)
      throw Failure(1, fmt::format("cannot read {}: {}", escaped(what), std::strerror(errno)));
    if (count > 0) size += static_cast<std::size_t>(count);
  }
  bytes.resize(size);
  return bytes;
}

std::vector<std::uint8_t> packet_of(const Options& options) {
  if (options.from_stdin) return read_all(STDIN_FILENO, "standard input");
  if (options.file.empty()) return build_packet(options);
  const UniqueFd file(::open(options.file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file)
    throw Failure(1,
                  fmt::format("cannot open {}: {}", escaped(options.file), std::strerror(errno)));
  return read_all(file.get(), options.file);
}

// A memfd that nobody can change any more: the daemon maps what it was given.
UniqueFd sealed_memory(std::span<const std::uint8_t> bytes) {
  UniqueFd memory(::memfd_create("vpnctl-packet", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory) throw_errno(errno, "making a memory file for the packet");
  const ssize_t written = ::write(memory.get(), bytes.data(), bytes.size());
  if (written != static_cast<ssize_t>(bytes.size()))
    throw_errno(errno, "writing the packet into memory");
  if (::fcntl(memory.get(), F_ADD_SEALS,
              F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    throw_errno(errno, "sealing the packet");
  return memory;
}

}  // namespace

int inject(const Options& options, const Console& console) {
  check_sources(options);
  const std::vector<std::uint8_t> packet = packet_of(options);
  if (packet.empty() || packet.size() > kMaxInjected)
    throw Failure(kExitUsage, fmt::format("a packet has 1 to {} bytes, this one {}{}", kMaxInjected,
                                          packet.size() > kMaxInjected ? "more than " : "",
                                          std::min(packet.size(), kMaxInjected)));
  const std::string& name = options.names.front();
  Client client(std::chrono::seconds(options.timeout_seconds));
  const std::string kind = client.kind(name);
  check_kind(options, kind);
  client.inject(name, sealed_memory(packet));
  const packet::Layer layer = kind == "tap" ? packet::Layer::kEthernet : packet::Layer::kIp;
  console.say(fmt::format("{}: injected {}: {}\n", name, count_text(packet.size(), "byte"),
                          packet::describe(packet, layer)));
  return 0;
}

}  // namespace vpntun::ctl

#include "ctl/injected_packet.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/address.h"
#include "base/error.h"
#include "base/log.h"
#include "ctl/client.h"
#include "packet/build.h"

namespace vpntun::ctl {
namespace {

bool is_built(const Options& options) {
  return !options.icmp.empty() || !options.udp.empty();
}

std::optional<unsigned> digit(char character) {
  if (character >= '0' && character <= '9') return static_cast<unsigned>(character - '0');
  if (character >= 'a' && character <= 'f') return static_cast<unsigned>(character - 'a' + 10);
  if (character >= 'A' && character <= 'F') return static_cast<unsigned>(character - 'A' + 10);
  return std::nullopt;
}

IpAddress address_of(const std::string& text) {
  const std::optional<IpAddress> address = IpAddress::parse(text);
  if (!address)
    throw Failure(kExitUsage, fmt::format("--icmp: \"{}\" is no IP address", escaped(text)),
                  "For example: --icmp 1.2.3.4 192.168.53.99");
  return *address;
}

Endpoint endpoint_of(const std::string& text) {
  const std::optional<Endpoint> endpoint = Endpoint::parse(text);
  if (!endpoint)
    throw Failure(kExitUsage, fmt::format("--udp: \"{}\" is no ADDRESS:PORT", escaped(text)),
                  "For example: --udp 1.2.3.4:5000 192.168.53.99:6000, or [2001:db8::1]:5000");
  return *endpoint;
}

std::vector<std::uint8_t> bytes_of(std::string_view text) {
  return {text.begin(), text.end()};
}

std::vector<std::uint8_t> build(const Options& options) {
  const std::vector<std::uint8_t> payload = bytes_of(options.payload);
  packet::IpFields ip;
  ip.ttl = static_cast<std::uint8_t>(options.ttl);
  if (!options.icmp.empty()) {
    ip.source = address_of(options.icmp[0]);
    ip.destination = address_of(options.icmp[1]);
    return packet::build_echo(ip, {.reply = options.echo_reply, .id = 1, .sequence = 1}, payload);
  }
  const Endpoint source = endpoint_of(options.udp[0]);
  const Endpoint destination = endpoint_of(options.udp[1]);
  ip.source = source.address;
  ip.destination = destination.address;
  return packet::build_udp(ip, source.port, destination.port, payload);
}

}  // namespace

std::vector<std::uint8_t> parse_hex(std::string_view digits) {
  std::vector<std::uint8_t> bytes;
  std::optional<unsigned> high;
  for (const char character : digits) {
    const bool between = std::string_view(" \t\r\n:").find(character) != std::string_view::npos;
    if (between && !high) continue;
    const std::optional<unsigned> value = digit(character);
    if (!value)
      throw Failure(kExitUsage,
                    between
                        ? "the hexadecimal digits do not come in pairs"
                        : fmt::format("\"{}\" is no hexadecimal digit", escaped({&character, 1})),
                    "For example: --hex \"45 00 00 1c\"");
    if (high) bytes.push_back(static_cast<std::uint8_t>(*high << 4 | *value));
    high = high ? std::nullopt : value;
  }
  if (high)
    throw Failure(kExitUsage, "the hexadecimal digits do not come in pairs",
                  "For example: --hex \"45 00 00 1c\"");
  return bytes;
}

std::vector<std::uint8_t> build_packet(const Options& options) {
  if (!options.hex.empty()) return parse_hex(options.hex);
  if (!options.text.empty()) return bytes_of(options.text);
  try {
    return build(options);
  } catch (const Error& error) {
    throw Failure(kExitUsage, error.what());
  }
}

void check_sources(const Options& options) {
  const std::array given{!options.hex.empty(),  !options.file.empty(), options.from_stdin,
                         !options.text.empty(), !options.icmp.empty(), !options.udp.empty()};
  if (std::count(given.begin(), given.end(), true) != 1)
    throw Failure(
        kExitUsage, "say what to inject, in exactly one way",
        "One of --hex, --file, --stdin, --text, --icmp, --udp; see: vpnctl inject --help");
  if (!options.payload.empty() && !is_built(options))
    throw Failure(kExitUsage, "--payload goes with --icmp or --udp");
  if (options.echo_reply && options.icmp.empty())
    throw Failure(kExitUsage, "--echo-reply goes with --icmp");
}

void check_kind(const Options& options, std::string_view kind) {
  if (kind == "tap" && is_built(options))
    throw Failure(kExitUsage,
                  "a tap interface takes Ethernet frames, and --icmp and --udp build IP packets",
                  "Give the whole frame with --hex, --file or --stdin");
}

}  // namespace vpntun::ctl

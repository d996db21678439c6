#include "os/sysctl.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <charconv>

#include "base/unique_fd.h"

namespace vpntun::os {
namespace {

// The whole text; empty if there is none to read.
std::string read_text(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> part;
  while (fd) {
    const ssize_t length = ::read(fd.get(), part.data(), part.size());
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) break;
    text.append(part.data(), static_cast<std::size_t>(length));
  }
  return text;
}

// Takes what lies before the separator off the front of `text`; all of it if there is none.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

std::string_view take_word(std::string_view& text) {
  const std::size_t start = text.find_first_not_of(" \t");
  if (start == std::string_view::npos) return {};
  text.remove_prefix(start);
  const std::size_t end = text.find_first_of(" \t");
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(word.size());
  return word;
}

template <typename Number>
std::optional<Number> number_of(std::string_view word) {
  Number value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return value;
}

}  // namespace

// proc(5): the files below /proc/sys/net show the network namespace of the thread that reads them.
std::optional<long> read_sysctl(std::string_view path_below_net) {
  const std::string text = read_text("/proc/sys/net/" + std::string(path_below_net));
  std::string_view rest = text;
  std::string_view line = take_until(rest, '\n');
  return number_of<long>(take_word(line));
}

bool ipv6_forwarding() {
  return read_sysctl("ipv6/conf/all/forwarding").value_or(0) != 0;
}

unsigned rp_filter_all() {
  return static_cast<unsigned>(read_sysctl("ipv4/conf/all/rp_filter").value_or(0));
}

void parse_counters(std::string_view text, Counters& counters) {
  while (!text.empty()) {
    std::string_view names = take_until(text, '\n');
    std::string_view values = take_until(text, '\n');
    const std::string_view group = take_until(names, ':');
    if (take_until(values, ':') != group) return;
    for (std::string_view name = take_word(names); !name.empty(); name = take_word(names)) {
      // Some are negative, Tcp.MaxConn for one: not counters.
      if (const auto value = number_of<std::uint64_t>(take_word(values)))
        counters[std::string(group) + "." + std::string(name)] = *value;
    }
  }
}

void parse_counters_v6(std::string_view text, Counters& counters) {
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    const std::string_view name = take_word(line);
    if (const auto value = number_of<std::uint64_t>(take_word(line)))
      counters[std::string(name)] = *value;
  }
}

// thread-self, not self: the main thread of the process may be in another namespace.
Counters read_counters() {
  Counters counters;
  parse_counters(read_text("/proc/thread-self/net/netstat"), counters);
  parse_counters(read_text("/proc/thread-self/net/snmp"), counters);
  parse_counters_v6(read_text("/proc/thread-self/net/snmp6"), counters);
  return counters;
}

}  // namespace vpntun::os

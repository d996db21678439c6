#include "ctl/log_text.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/log.h"
#include "ctl/client.h"

namespace vpntun::ctl {
namespace {

constexpr std::size_t kLongestText = 4000;
constexpr std::uint64_t kSecond = 1'000'000;  // microseconds

std::tm local_time(std::uint64_t usec) {
  const auto seconds = static_cast<std::time_t>(usec / kSecond);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  return parts;
}

Colour colour_of(log::Level level) {
  if (level <= log::Level::kError) return Colour::kRed;
  if (level == log::Level::kWarning) return Colour::kYellow;
  if (level == log::Level::kNotice) return Colour::kBold;
  return level == log::Level::kDebug ? Colour::kDim : Colour::kNone;
}

// "10m": that long ago.
std::optional<std::uint64_t> ago(const std::string& text, std::uint64_t now_usec) {
  constexpr std::string_view kUnits = "smhd";
  constexpr std::array<std::uint64_t, 4> kLengths{1, 60, 3600, 86400};
  if (text.empty() || kUnits.find(text.back()) == kUnits.npos) return std::nullopt;
  std::uint32_t count = 0;
  const char* const end = text.data() + text.size() - 1;
  const auto [stopped, failed] = std::from_chars(text.data(), end, count);
  if (failed != std::errc() || stopped != end) return std::nullopt;
  const std::uint64_t before = count * kLengths[kUnits.find(text.back())] * kSecond;
  return before > now_usec ? 0 : now_usec - before;
}

std::optional<std::uint64_t> on_the_clock(const std::string& text, std::uint64_t now_usec) {
  for (const char* format :
       {"%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%H:%M:%S", "%H:%M"}) {
    std::tm parts = local_time(now_usec);
    parts.tm_hour = parts.tm_min = parts.tm_sec = 0;
    parts.tm_isdst = -1;
    const char* const end = ::strptime(text.c_str(), format, &parts);
    if (end == nullptr || *end != '\0') continue;
    const std::time_t seconds = ::mktime(&parts);
    if (seconds >= 0) return static_cast<std::uint64_t>(seconds) * kSecond;
  }
  return std::nullopt;
}

}  // namespace

std::string entry_text(const JournalEntry& entry, const Style& style) {
  const std::tm parts = local_time(entry.time_usec);
  std::array<char, 64> time{};
  std::strftime(time.data(), time.size(), "%b %d %H:%M:%S", &parts);
  const std::string pid = entry.pid.empty() ? "" : fmt::format("[{}]", escaped(entry.pid));
  return fmt::format("{} {}{}: {}", time.data(), escaped(entry.identifier), pid,
                     paint(style, colour_of(entry.level), escaped(entry.text, kLongestText)));
}

std::string entry_json(const JournalEntry& entry) {
  nlohmann::ordered_json line;
  line["time-usec"] = entry.time_usec;
  line["level"] = to_string(entry.level);
  line["identifier"] = escaped(entry.identifier);
  for (const auto& [key, value] : {std::pair{"pid", &entry.pid},
                                   {"event", &entry.event},
                                   {"peer", &entry.peer},
                                   {"reason", &entry.reason},
                                   {"endpoint", &entry.endpoint},
                                   {"interface", &entry.interface},
                                   {"message-id", &entry.message_id}})
    if (!value->empty()) line[key] = escaped(*value);
  line["text"] = escaped(entry.text, kLongestText);
  return line.dump();
}

std::uint64_t time_of(const std::string& text, std::uint64_t now_usec) {
  if (const std::optional<std::uint64_t> time = ago(text, now_usec)) return *time;
  if (const std::optional<std::uint64_t> time = on_the_clock(text, now_usec)) return *time;
  throw Failure(kExitUsage, fmt::format("--since: \"{}\" is no time", escaped(text)),
                "For example: 10m, 2h, 1d, 12:00, 2026-01-31, \"2026-01-31 12:00:30\"");
}

}  // namespace vpntun::ctl

#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

namespace vpntun {
namespace log {
namespace {

// spdlog has no "notice"; systemd has.
struct LevelInfo {
  spdlog::level::level_enum level;
  const char* sd_prefix;  // sd-daemon(3)
};

LevelInfo info_of(Level level) {
  switch (level) {
    case Level::kDebug:
      return {spdlog::level::debug, "<7>"};
    case Level::kInfo:
      return {spdlog::level::info, "<6>"};
    case Level::kNotice:
      return {spdlog::level::info, "<5>"};
    case Level::kWarning:
      return {spdlog::level::warn, "<4>"};
    case Level::kError:
      break;
  }
  return {spdlog::level::err, "<3>"};
}

bool journal_reads_stderr() {
  return std::getenv("JOURNAL_STREAM") != nullptr;
}

}  // namespace

void init(Level minimum, const std::string& tag) {
  auto logger = std::make_shared<spdlog::logger>(
      tag, std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_pattern(journal_reads_stderr() ? "%v" : "%H:%M:%S.%e %^%-5l%$ %n: %v");
  logger->set_level(info_of(minimum).level);
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
}

void write(Level level, std::string_view text) {
  const LevelInfo info = info_of(level);
  if (!spdlog::should_log(info.level)) return;
  const std::string line = escaped(text, 4000);
  spdlog::log(info.level, "{}{}", journal_reads_stderr() ? info.sd_prefix : "", line);
}

}  // namespace log

std::string escaped(std::string_view text, std::size_t maximum) {
  std::string out;
  out.reserve(text.size());
  std::size_t i = 0;
  while (i < text.size()) {
    if (out.size() >= maximum) {
      out += "...";
      break;
    }
    const auto lead = static_cast<unsigned char>(text[i]);
    std::size_t length = lead < 0x80                   ? 1
                         : lead >= 0xf0 && lead < 0xf5 ? 4
                         : lead >= 0xe0                ? 3
                         : lead >= 0xc2                ? 2
                                                       : 0;
    if (lead >= 0xf5) length = 0;
    bool valid = length != 0 && i + length <= text.size() && lead != 0x7f && lead >= 0x20;
    for (std::size_t j = 1; valid && j < length; ++j)
      valid = (static_cast<unsigned char>(text[i + j]) & 0xc0) == 0x80;
    // U+0080..U+009F are control characters too.
    if (valid && length == 2 && lead == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0)
      valid = false;
    if (valid) {
      out.append(text.substr(i, length));
      i += length;
    } else {
      out += fmt::format("\\x{:02x}", lead);
      ++i;
    }
  }
  return out;
}

}  // namespace vpntun

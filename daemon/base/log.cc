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

namespace {

// The length of the UTF-8 character at the front of text (RFC 3629, table 3-7 of Unicode), or 0:
// none is there.
std::size_t character_length(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead < 0xc2   ? 0
                             : lead < 0xe0 ? 2
                             : lead < 0xf0 ? 3
                             : lead < 0xf5 ? 4
                                           : 0;
  if (length == 0 || length > text.size()) return 0;
  // The second byte rules out overlong forms, surrogates and what lies beyond U+10FFFF.
  const unsigned char least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned char most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < least || byte(1) > most) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  return length;
}

// C0, DEL, and C1 (U+0080..U+009F).
bool is_control(std::string_view character) {
  const auto lead = static_cast<unsigned char>(character[0]);
  if (lead == 0xc2) return static_cast<unsigned char>(character[1]) < 0xa0;
  return lead < 0x20 || lead == 0x7f;
}

}  // namespace

std::string escaped(std::string_view text, std::size_t maximum) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    const bool kept = length != 0 && !is_control(text.substr(0, length));
    const std::string piece = kept ? std::string(text.substr(0, length))
                                   : fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    if (out.size() + piece.size() > maximum) return out + "...";
    out += piece;
    text.remove_prefix(kept ? length : 1);
  }
  return out;
}

}  // namespace vpntun

#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <mutex>

#include "base/folding.h"

namespace vpntun {
namespace log {
namespace {

constexpr std::size_t kLongestText = 4000;

struct Logger {
  std::mutex mutex;
  std::string tunnel;
  Journal journal;
  Target target = Target::kConsole;
  Folding folding;
  std::shared_ptr<spdlog::logger> console;
};

Logger& logger() {
  static Logger the_one;
  return the_one;
}

std::atomic<Level> minimum_level = Level::kInfo;

bool is_wanted(Level level) noexcept {
  return level <= minimum_level;
}

// spdlog has fewer levels; they only give the word and the colour.
spdlog::level::level_enum shown_as(Level level) noexcept {
  if (level <= Level::kError) return spdlog::level::err;
  if (level == Level::kWarning) return spdlog::level::warn;
  return level == Level::kDebug ? spdlog::level::debug : spdlog::level::info;
}

Line escaped_line(Line line) {
  line.text = escaped(line.text, kLongestText);
  for (std::string* field : {&line.fields.tunnel, &line.fields.peer, &line.fields.reason,
                             &line.fields.endpoint, &line.fields.interface})
    *field = escaped(*field);
  return line;
}

void put(Logger& to, const Line& line) {
  if (to.target == Target::kNull) return;
  if (to.target == Target::kJournal && to.journal(line)) return;
  const spdlog::level::level_enum shown = shown_as(line.level);
  if (!to.console)
    spdlog::log(shown, "{}", line.text);
  else if (to.journal)
    to.console->log(shown, "<{}>{}", static_cast<int>(line.level), line.text);
  else
    to.console->log(shown, "{}", line.text);
}

void put_all(Logger& to, const std::vector<Line>& lines) {
  for (const Line& line : lines) put(to, line);
}

}  // namespace

void init(Setup setup) {
  auto console = std::make_shared<spdlog::logger>(
      setup.name, std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  console->set_pattern(setup.journal ? "%v" : "%H:%M:%S.%e %^%-5l%$ %n: %v");
  console->set_level(spdlog::level::trace);
  console->flush_on(spdlog::level::trace);
  set_level(setup.minimum);
  Logger& the = logger();
  const std::lock_guard lock(the.mutex);
  the.console = std::move(console);
  the.tunnel = std::move(setup.tunnel);
  the.journal = std::move(setup.journal);
  the.target = the.journal ? Target::kJournal : Target::kConsole;
}

Level level() noexcept {
  return minimum_level;
}

void set_level(Level minimum) noexcept {
  minimum_level = minimum;
}

Target target() {
  Logger& the = logger();
  const std::lock_guard lock(the.mutex);
  return the.target;
}

bool set_target(Target target) {
  Logger& the = logger();
  const std::lock_guard lock(the.mutex);
  if (target == Target::kJournal && !the.journal) return false;
  the.target = target;
  return true;
}

void write(Level level, std::string text) {
  if (!is_wanted(level)) return;
  Logger& the = logger();
  const std::lock_guard lock(the.mutex);
  put(the, escaped_line({level, std::nullopt, {.tunnel = the.tunnel}, std::move(text)}));
}

void write(Event event, Fields fields, std::string text) {
  const EventInfo& info = info_of(event);
  if (!is_wanted(info.level)) return;
  Logger& the = logger();
  const std::lock_guard lock(the.mutex);
  if (fields.tunnel.empty()) fields.tunnel = the.tunnel;
  const Line line = escaped_line({info.level, event, std::move(fields), std::move(text)});
  const Instant now = BootClock::now();
  put_all(the, the.folding.take_due(now));
  if (!info.folds || the.folding.admit(line, now)) put(the, line);
}

std::optional<Instant> folded_due() {
  Logger& the = logger();
  const std::lock_guard lock(the.mutex);
  return the.folding.due();
}

void let_out_folded(Instant now) {
  Logger& the = logger();
  const std::lock_guard lock(the.mutex);
  put_all(the, the.folding.take_due(now));
}

void let_out_all_folded() {
  Logger& the = logger();
  const std::lock_guard lock(the.mutex);
  put_all(the, the.folding.take_all());
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

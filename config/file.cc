// From a file or a text to a profile: what the file is, then its syntax, then its values, then
// their sense.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>

#include "base/log.h"
#include "base/unique_fd.h"
#include "config/document.h"
#include "config/draft.h"
#include "config/file_bytes.h"
#include "config/finding.h"
#include "config/guard.h"
#include "config/secret.h"
#include "config/source_text.h"
#include "config/value_text.h"
#include "crypto/crypto.h"

namespace vpntun::config {
namespace {

std::string reason_of(int error_number) {
  return std::generic_category().message(error_number);
}

// A finding about the file as a whole, and nothing else.
Loaded refused(const std::string& path, Code code, std::string message, std::string help = "") {
  const SourceText none{""};
  Report report(none, path);
  report.add(code, {}, std::move(message), {"", std::move(help)});
  return {std::nullopt, report.take()};
}

std::string_view kind_of_file(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a named pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

std::string too_large() {
  return fmt::format("larger than {} bytes: this is not a profile", kLargestProfile);
}

void report_syntax(const SyntaxError& error, const SourceText& source, Report& report) {
  const Spot spot{error.place, ""};
  const std::string message = escaped(error.message);
  if (source.line(error.place.line).secret != std::string_view::npos) {
    report.add(Code::kSyntax, spot, "not valid TOML");
    return;
  }
  if (error.redefinition) {
    report.add(Code::kDefinedTwice, spot, fmt::format("defined twice: {}", message),
               {"", "write each key and each [table] once; only [[peer]] may repeat"});
    return;
  }
  const bool word = error.message.starts_with("parsing boolean") ||
                    error.message.find("expected value") != std::string::npos ||
                    error.message.starts_with("parsing floating-point") ||
                    error.message.starts_with("parsing decimal integer");
  report.add(Code::kSyntax, spot, fmt::format("not valid TOML: {}", message),
             {"", word ? "text stands in double quotes: name = \"tun0\"" : ""});
}

// Whether the bytes may be given to the parser.
bool check_bytes(std::string_view text, const SourceText& source, Report& report) {
  const auto refuse = [&](std::size_t at, Code code, std::string message, std::string help) {
    report.add(code, {source.place_at(at), ""}, std::move(message), {"", std::move(help)});
    return false;
  };
  if (const auto at = text.find('\0'); at != std::string_view::npos)
    return refuse(at, Code::kNulByte, fmt::format("byte {} of the file is NUL", at),
                  "this is not a text file, or one in UTF-16: save it as UTF-8");
  if (const auto at = find_invalid_utf8(text))
    return refuse(*at, Code::kNotUtf8, fmt::format("byte {} of the file is not UTF-8", *at),
                  "save the file as UTF-8");
  const auto found = find_hazard(text);
  if (found && found->hazard == Hazard::kNesting)
    return refuse(found->offset, Code::kTooDeep, "nested too deeply",
                  fmt::format("at most {} brackets and {} dots", kMaxBrackets, kMaxDots));
  if (found)
    return refuse(
        found->offset, Code::kSyntax,
        "not valid TOML: this character can stand only in strings of one line and in comments",
        "keys are ASCII, and quotes are straight: name = \"tun0\"");
  return true;
}

// file: what the text was read from, or null.
Loaded load(std::string_view text, const SourceText& source, Reach reach, const struct stat* file,
            Report& report) {
  if (!check_bytes(text, source, report)) return {};
  const auto parsed = parse_document(text);
  if (const auto* error = std::get_if<SyntaxError>(&parsed)) {
    report_syntax(*error, source, report);
    return {};
  }
  const Value& document = std::get<Value>(parsed);
  if (document.entries.empty()) {
    report.add(Code::kEmpty, {}, "the profile says nothing",
               {"", "the least is: [tunnel], and below it encryption = \"none\""});
    return {};
  }
  Draft draft = read_profile(document, reach, report);
  check_host(draft, report);
  check_dns(draft, report);
  check_peers(draft, report);
  check_wireguard(draft, report);
  if (draft.inline_secret && file) check_open_profile(*draft.inline_secret, *file, reach, report);
  Loaded loaded;
  loaded.holds_key = draft.inline_secret.has_value();
  if (!report.has_errors()) loaded.profile = std::move(draft).finish();
  return loaded;
}

Loaded load(std::string_view text, const std::string& path, const std::string& tunnel_name,
            Reach reach, const struct stat* file) {
  if (text.size() > kLargestProfile) return refused(path, Code::kTooLarge, too_large());
  const SourceText source(text);
  Report report(source, path);
  if (std::string why = why_no_tunnel_name(tunnel_name); !why.empty())
    report.add(Code::kTunnelName, {},
               fmt::format("{} is no name for a tunnel", in_quotes(tunnel_name)),
               {"", fmt::format("{}; rename the file", why)});
  Loaded loaded = load(text, source, reach, file, report);
  if (report.has_errors()) loaded.profile.reset();
  if (loaded.profile) {
    loaded.profile->name = tunnel_name;
    loaded.profile->path = path;
  }
  loaded.findings = report.take();
  return loaded;
}

}  // namespace

Loaded load_text(std::string_view text, const std::string& path, const std::string& tunnel_name,
                 Reach reach) {
  return load(text, path, tunnel_name, reach, nullptr);
}

Loaded load_file(const std::string& path, const std::string& tunnel_name, Reach reach) {
  // Opened once and asked as opened, so that nobody can exchange it in between. O_NONBLOCK: a pipe
  // must not block us.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0)
    return refused(path, Code::kCannotRead, fmt::format("cannot read it: {}", reason_of(errno)));
  if (!S_ISREG(status.st_mode))
    return refused(path, Code::kNotAFile,
                   fmt::format("expected a file, found {}", kind_of_file(status.st_mode)));
  if (static_cast<std::uintmax_t>(status.st_size) > kLargestProfile)
    return refused(path, Code::kTooLarge, too_large());

  std::string text;
  if (const int error = read_bytes(file.get(), kLargestProfile, text))
    return refused(path, Code::kCannotRead, fmt::format("cannot read it: {}", reason_of(error)));
  Loaded loaded = load(text, path, tunnel_name, reach, &status);
  crypto::wipe(text);
  if (loaded.profile)
    loaded.profile->modified_usec = static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1'000'000 +
                                    static_cast<std::uint64_t>(status.st_mtim.tv_nsec) / 1000;
  return loaded;
}

std::vector<std::string> default_profile_folders() {
  return {"/etc/vpntund", "/run/vpntund/profiles", "/usr/lib/vpntund/profiles"};
}

std::optional<std::string> find_profile(const std::vector<std::string>& folders,
                                        std::string_view name) {
  if (!is_tunnel_name(name)) return std::nullopt;
  for (const std::string& folder : folders) {
    std::string path = fmt::format("{}/{}.toml", folder, name);
    // A link that leads nowhere counts: loading it says what is wrong.
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0) return path;
  }
  return std::nullopt;
}

}  // namespace vpntun::config

// import, export: profiles from and to wg-quick(8).
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/error.h"
#include "base/log.h"
#include "config/finding.h"
#include "config/value_text.h"
#include "config/wg_quick.h"
#include "config/write_profile.h"
#include "crypto/crypto.h"
#include "ctl/commands.h"
#include "ctl/profile_file.h"
#include "ctl/qr_code.h"

namespace vpntun::ctl {
namespace {

// Files that are removed again unless all of them were written.
class Written {
 public:
  Written() = default;
  Written(const Written&) = delete;
  Written& operator=(const Written&) = delete;
  ~Written() {
    for (const std::string& path : paths_) ::unlink(path.c_str());
  }
  void write(const std::string& path, std::string_view text) {
    write_secret(path, text);
    paths_.push_back(path);
  }
  void keep() { paths_.clear(); }

 private:
  std::vector<std::string> paths_;
};

void write_key(Written& written, const std::string& path, const crypto::SecretKey& key) {
  std::string text = key.expose_text() + '\n';
  written.write(path, text);
  crypto::wipe(text);
}

config::KeyFiles key_files(const config::Profile& profile, const std::filesystem::path& folder) {
  config::KeyFiles files{{"", folder / fmt::format("{}.key", profile.name)}};
  for (const config::Peer& peer : profile.peers)
    if (peer.preshared_key) files[peer.name] = preshared_key_file(folder, profile.name, peer.name);
  return files;
}

void write_all(const config::Profile& profile, const std::string& path, std::string_view text,
               const config::KeyFiles& files) {
  if (std::filesystem::exists(std::filesystem::symlink_status(path)))
    throw Failure(kExitConflict, fmt::format("{} exists already", escaped(path)),
                  "Give another name: --name NAME");
  Written written;
  if (!files.empty()) write_key(written, files.at(""), profile.interface.private_key);
  for (const config::Peer& peer : profile.peers)
    if (files.contains(peer.name)) write_key(written, files.at(peer.name), *peer.preshared_key);
  written.write(path, text);
  written.keep();
}

config::Profile parse_conf(const std::string& path, const std::string& name,
                           std::vector<config::Finding>& findings) {
  std::string text = read_text(path);
  config::Loaded loaded = config::parse_wg_quick(text, path, name);
  crypto::wipe(text);
  findings = std::move(loaded.findings);
  return loaded.profile ? std::move(*loaded.profile) : config::Profile{};
}

bool has_errors(const std::vector<config::Finding>& findings) {
  return std::ranges::any_of(findings, [](const config::Finding& each) {
    return each.severity == config::Severity::kError;
  });
}

int print_findings(const std::vector<config::Finding>& findings, const Options& options,
                   const Console& console) {
  const bool failed = has_errors(findings);
  if (options.json)
    console.out << config::to_json(findings) << '\n';
  else if (!findings.empty() && (failed || !console.quiet))
    console.err << config::to_text(findings, console.error_style.colour) << std::flush;
  return failed ? 1 : 0;
}

}  // namespace

int import(const Options& options, const Console& console) {
  const std::string& file = options.names.front();
  if (file.ends_with(".ovpn"))
    throw Failure(1, "OpenVPN is another protocol, which vpntund does not speak",
                  "Ask the other end for a configuration of WireGuard");
  const std::string name = options.name.empty() ? stem_of(file, ".conf") : options.name;
  if (const std::string why = config::why_no_tunnel_name(name); !why.empty())
    throw Failure(kExitUsage, fmt::format("\"{}\" is no name for a tunnel: {}", escaped(name), why),
                  "Give one: --name NAME");
  std::vector<config::Finding> findings;
  const config::Profile profile = parse_conf(file, name, findings);
  if (has_errors(findings)) return print_findings(findings, options, console);

  const std::filesystem::path folder =
      std::filesystem::absolute(options.to_folder).lexically_normal();
  const std::string path = folder / fmt::format("{}.toml", name);
  const config::KeyFiles files =
      options.keys == "files" ? key_files(profile, folder) : config::KeyFiles{};
  std::string text = config::to_toml(profile, files);
  config::Loaded checked = config::load_text(text, path, name);
  if (checked.profile) write_all(profile, path, text, files);
  crypto::wipe(text);
  std::ranges::move(checked.findings, std::back_inserter(findings));
  const int code = print_findings(findings, options, console);
  if (code == 0 && !options.json)
    console.say(
        fmt::format("{}: written to {}. Start it: vpnctl start {}\n", name, escaped(path), name));
  return code;
}

config::Profile load_with_keys(const ProfileFile& file, const Console& console) {
  config::Loaded loaded = config::load_file(file.path, file.name, config::Reach::kFiles);
  if (!loaded.profile) {
    console.err << config::to_text(loaded.findings, console.error_style.colour);
    throw Failure(1, fmt::format("{} has errors", escaped(file.path)));
  }
  for (const config::Finding& finding : loaded.findings)
    if (finding.severity == config::Severity::kNote)
      throw Failure(1, fmt::format("{}: {}", finding.key, finding.message),
                    finding.help.empty() ? "Root may read it: sudo vpnctl ..."
                                         : "What systemd gives to the session alone cannot be "
                                           "read here");
  return std::move(*loaded.profile);
}

void print_conf(const config::WgQuickText& written, const Options& options,
                const Console& console) {
  if (!console.quiet)
    for (const std::string& unsaid : written.unsaid) console.err << "Note: " << unsaid << '\n';
  warn_of_readers(console);
  if (options.qr)
    console.out << qr_text(encode_qr(written.text), console.style.colour) << std::flush;
  else
    console.out << written.text << std::flush;
}

int export_profile(const Options& options, const Console& console) {
  const std::vector<std::string> folders = config::default_profile_folders();
  const ProfileFile file = find_profile_file(options.names.front(), folders, true);
  config::WgQuickText written = config::to_wg_quick(load_with_keys(file, console));
  print_conf(written, options, console);
  crypto::wipe(written.text);
  return 0;
}

}  // namespace vpntun::ctl

#include "ctl/verbs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/log.h"
#include "ctl/commands.h"
#include "ctl/tunnel_info.h"
#include "dbus/error_names.h"

namespace vpntun::ctl {
namespace {

// CLI11's own check answers a word with the largest double.
std::string not_negative(const std::string& text) {
  constexpr double kMost = 1e9;
  double value = 0;
  if (CLI::detail::lexical_cast(text, value) && value >= 0 && value <= kMost) return {};
  return fmt::format("expected a number from 0 to {:.0f}, got \"{}\"", kMost, text);
}

void declare_nothing(CLI::App&, Options&) {}

// A positional named NAME is completed with the tunnels' names, FILE with files, anything else with
// nothing.
void declare_names(CLI::App& verb, Options& options) {
  verb.add_option("NAME", options.names, "Tunnels, by the names of their profiles")->required();
}

CLI::Option* declare_name(CLI::App& verb, Options& options) {
  return verb.add_option("NAME", options.names, "The tunnel")->expected(1);
}

void declare_status(CLI::App& verb, Options& options) {
  declare_name(verb, options);
  verb.add_flag("--watch,-w", options.watch, "Look again every second, with rates, until Ctrl-C");
  verb.add_flag("--healthy", options.healthy,
                "With NAME: exit code 6 unless the tunnel is healthy");
}

void declare_wait(CLI::App& verb, Options& options) {
  declare_name(verb, options)->required();
  verb.add_option("--for", options.wanted,
                  "configured (it runs, the default), handshake (a peer was heard) or traffic "
                  "(healthy, packets both ways)")
      ->check(CLI::IsMember({"configured", "handshake", "traffic"}))
      ->type_name("WHAT");
}

void declare_list(CLI::App& verb, Options& options) {
  verb.add_flag("--names", options.names_only, "Names only, one a line");
}

void declare_check(CLI::App& verb, Options& options) {
  verb.add_option("NAME|FILE", options.names,
                  "Profiles by name, or by path (with a slash or .toml); none: all");
  verb.add_option("--profile-folder", options.profile_folders,
                  "Look names up here; may be repeated")
      ->type_name("FOLDER")
      ->allow_extra_args(false);
}

void declare_import(CLI::App& verb, Options& options) {
  verb.add_option("FILE", options.names, "A configuration of wg-quick, NAME.conf")
      ->required()
      ->expected(1);
  verb.add_option("--name", options.name, "Name of the tunnel (default: of the file)")
      ->type_name("TUNNEL");
  verb.add_option("--to", options.to_folder, "Where profiles are (default /etc/vpntund)")
      ->type_name("FOLDER");
  verb.add_option("--keys", options.keys,
                  "inline (keys in the profile, the default) or files (beside it)")
      ->check(CLI::IsMember({"inline", "files"}))
      ->type_name("WHERE");
}

void declare_qr(CLI::App& verb, Options& options) {
  verb.add_flag("--qr", options.qr, "Show it as a QR code, for phones");
}

void declare_export(CLI::App& verb, Options& options) {
  verb.add_option("NAME|FILE", options.names, "A profile by name, or by path")
      ->required()
      ->expected(1);
  verb.add_option("--format", options.format, "wg-quick, the only one")
      ->check(CLI::IsMember({"wg-quick"}))
      ->type_name("FORMAT");
  declare_qr(verb, options);
}

void declare_peer(CLI::App& verb, Options& options) {
  verb.add_option("ACTION", options.action, "add, remove or list")
      ->required()
      ->check(CLI::IsMember({"add", "remove", "list"}));
  verb.add_option("NAME", options.tunnel, "The tunnel, by name or by path of its profile")
      ->required();
  verb.add_option("PEER", options.peer, "The peer, by its name");
  const auto list = [&](const char* option, std::vector<std::string>& values, const char* what) {
    verb.add_option(option, values, what)->type_name("PREFIX")->allow_extra_args(false);
  };
  verb.add_option("--public-key", options.public_key,
                  "add: of a peer that has its keys; without it they are made here")
      ->type_name("KEY");
  list("--address", options.addresses,
       "add: its address in the tunnel (default: the next free one); may be repeated");
  list("--allowed-ips", options.allowed_ips,
       "add: what is sent to it (default: its addresses); may be repeated");
  verb.add_option("--endpoint-for-client", options.endpoint_for_client,
                  "add: where the peer finds this tunnel, with the port unless it is listen-port")
      ->type_name("HOST:PORT");
  verb.add_flag("--all-traffic", options.all_traffic,
                "add: the peer sends everything here, not only what is for the tunnel");
  verb.add_option("--dns", options.dns, "add: a DNS server for the peer; may be repeated")
      ->type_name("ADDRESS")
      ->allow_extra_args(false);
  declare_qr(verb, options);
}

void declare_capture(CLI::App& verb, Options& options) {
  declare_name(verb, options)->required();
  verb.add_option("--write,-w", options.write_file,
                  "Write pcapng into a file (- for standard output)")
      ->type_name("FILE");
  verb.add_option("--count,-c", options.count, "End after so many packets")
      ->type_name("COUNT")
      ->check(not_negative);
  verb.add_option("--duration", options.duration_seconds, "End after so many seconds")
      ->type_name("SECONDS")
      ->check(not_negative);
  verb.add_option("--snaplen", options.snaplen, "With --write: keep so many bytes of each packet")
      ->type_name("BYTES")
      ->check(not_negative);
  verb.add_flag("--hex", options.hex_dump, "Show the bytes of each packet too");
  verb.add_flag("--with-secrets", options.with_secrets,
                "With --write: the keys too, for Wireshark to decrypt (who has the file has them)");
}

void declare_logs(CLI::App& verb, Options& options) {
  declare_name(verb, options)->required();
  verb.add_flag("--follow,-f", options.follow, "Go on with what is written, until Ctrl-C");
  verb.add_option("--lines,-n", options.lines, "Begin so many lines before the end (default 100)")
      ->type_name("LINES")
      ->check(not_negative);
  verb.add_option("--since", options.since, "Begin at a time: 10m, 2h, 12:00, 2026-01-31")
      ->type_name("TIME");
}

void declare_inject(CLI::App& verb, Options& options) {
  declare_name(verb, options)->required();
  verb.add_option("--hex", options.hex, "The packet in hexadecimal digits, spaces allowed")
      ->type_name("DIGITS");
  verb.add_option("--file", options.file, "The packet is the content of a file")->type_name("FILE");
  verb.add_flag("--stdin", options.from_stdin, "The packet is what standard input gives");
  verb.add_option("--text", options.text, "The packet is this text, which makes a broken one")
      ->type_name("TEXT");
  verb.add_option("--icmp", options.icmp, "An echo request: source and destination address")
      ->type_name("SOURCE DESTINATION")
      ->expected(2);
  verb.add_option("--udp", options.udp, "A UDP datagram: source and destination, each ADDRESS:PORT")
      ->type_name("SOURCE DESTINATION")
      ->expected(2);
  verb.add_option("--payload", options.payload, "With --icmp or --udp: what it carries")
      ->type_name("TEXT");
  verb.add_flag("--echo-reply", options.echo_reply, "With --icmp: a reply");
  verb.add_option("--ttl", options.ttl, "With --icmp or --udp: time to live (default 64)")
      ->type_name("NUMBER")
      ->check(CLI::Range(0, 255));
}

void declare_lab(CLI::App& verb, Options&) {
  // Everything behind the word belongs to the lab runner, --help too.
  verb.set_help_flag();
  verb.prefix_command();
  verb.allow_extras();
  verb.fallthrough(false);
}

void declare_completion(CLI::App& verb, Options& options) {
  verb.add_option("SHELL", options.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

constexpr std::array kVerbs{
    Verb{"start", "Start tunnels and wait until they are up", declare_names, start},
    Verb{"stop", "Stop tunnels and wait until nothing of them is left", declare_names, stop},
    Verb{"restart", "Stop and start tunnels", declare_names, restart},
    Verb{"reload", "Put changed profiles into running tunnels", declare_names, reload},
    Verb{"status", "Show all tunnels, or one in detail", declare_status, status},
    Verb{"wait", "Wait until a tunnel runs, hears a peer or carries traffic", declare_wait, wait},
    Verb{"list", "List the profiles", declare_list, list},
    Verb{"check", "Find the mistakes in profiles; needs no daemon", declare_check, check},
    Verb{"peer", "Add, remove and list the peers of a WireGuard tunnel", declare_peer, peer},
    Verb{"import", "Make a profile of a configuration of wg-quick; needs no daemon", declare_import,
         import},
    Verb{"export", "Print a profile as a configuration of wg-quick; needs no daemon",
         declare_export, export_profile},
    Verb{"genkey", "Print a new private key", declare_nothing, genkey},
    Verb{"genpsk", "Print a new preshared key", declare_nothing, genpsk},
    Verb{"pubkey", "Print the public key of the private key on standard input", declare_nothing,
         pubkey},
    Verb{"capture", "Show the packets of a tunnel, inside and outside", declare_capture, capture},
    Verb{"logs", "Show what the journal has about a tunnel", declare_logs, logs},
    Verb{"inject", "Write one packet into a tunnel's interface, as if a peer had sent it",
         declare_inject, inject},
    Verb{"lab", "The lab: three hosts on this machine and the tasks (see: vpnctl lab --help)",
         declare_lab, lab},
    Verb{"version", "Show the versions of vpnctl and of the daemon", declare_nothing, version},
    Verb{"completion", "Print the completion script for a shell", declare_completion, completion},
};

// The verb that was chosen, with what the lab runner is to get.
const Verb& chosen_verb(const CLI::App& app, Options& options) {
  const CLI::App* chosen = app.get_subcommands().front();
  if (chosen->get_name() == "lab") options.lab_arguments = chosen->remaining();
  return *std::find_if(kVerbs.begin(), kVerbs.end(),
                       [&](const Verb& verb) { return verb.name == chosen->get_name(); });
}

Console console_of(const Options& options, std::ostream& out, std::ostream& err) {
  return {out, err, style_of_descriptor(STDOUT_FILENO, options.no_color),
          style_of_descriptor(STDERR_FILENO, options.no_color), options.quiet};
}

// What CLI11 found wrong, and where the right way is told.
Failure usage_failure(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  if (!chosen.empty())
    return {kExitUsage, escaped(error.what()),
            fmt::format("See: vpnctl {} --help", chosen.front()->get_name())};
  constexpr std::string_view kAll = "All verbs: vpnctl --help";
  const std::vector<std::string> unknown = app.remaining();
  if (error.get_name() != "RequiredError")
    return {kExitUsage, escaped(error.what()), std::string(kAll)};
  if (unknown.empty()) return {kExitUsage, "a verb is missing", std::string(kAll)};
  std::vector<std::string> names;
  for (const Verb& verb : kVerbs) names.emplace_back(verb.name);
  const std::string nearest = nearest_name(unknown.front(), names);
  return {kExitUsage,
          fmt::format("there is no {} \"{}\"", unknown.front().starts_with('-') ? "option" : "verb",
                      escaped(unknown.front())),
          fmt::format("{}{}", nearest.empty() ? "" : fmt::format("Did you mean \"{}\"? ", nearest),
                      kAll)};
}

}  // namespace

std::span<const Verb> verbs() noexcept {
  return kVerbs;
}

void declare(CLI::App& app, Options& options) {
  app.add_flag("--json", options.json, "Print JSON");
  app.add_flag("--no-color", options.no_color, "No colours, as with NO_COLOR set");
  app.add_flag("--quiet,-q", options.quiet, "Print errors only");
  app.add_option("--timeout", options.timeout_seconds, "Wait so long for the daemon (default 100)")
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 86400));
  app.require_subcommand(1);
  for (const Verb& verb : kVerbs) {
    CLI::App* command = app.add_subcommand(std::string(verb.name), std::string(verb.summary));
    command->fallthrough();
    command->footer("Options that every verb has: vpnctl --help");
    verb.declare(*command, options);
  }
}

void report(const Failure& failure, const Console& console) {
  console.err << paint(console.error_style, Colour::kRed, "vpnctl:") << ' ' << failure.what()
              << '\n';
  if (!failure.advice().empty()) console.err << "  " << failure.advice() << '\n';
  console.err << std::flush;
}

int run(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  CLI::App app{"Manages the tunnels of vpntund.", "vpnctl"};
  Options options;
  declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error, out, err);  // --help
    report(usage_failure(app, error), console_of(options, out, err));
    return kExitUsage;
  }
  const Console console = console_of(options, out, err);
  try {
    return chosen_verb(app, options).run(options, console);
  } catch (const Failure& failure) {
    report(failure, console);
    return failure.exit_code();
  } catch (const Error& error) {
    report(Failure(dbus::name_of(error.kind()).exit_code, error.what()), console);
    return dbus::name_of(error.kind()).exit_code;
  }
}

}  // namespace vpntun::ctl

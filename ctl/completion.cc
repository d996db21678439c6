#include "ctl/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <vector>

namespace vpntun::ctl {
namespace {

struct Word {
  std::vector<std::string> spellings;  // "--write", "-w"
  std::string value;                   // "FILE"; empty: a flag
  std::string description;
};

struct Command {
  std::string name;
  std::string description;
  std::vector<Word> options;
  std::string positional;  // "NAME", "NAME|FILE", "SHELL"; empty: none
};

std::vector<Word> options_of(const CLI::App& app) {
  std::vector<Word> words;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) continue;
    Word word;
    for (const std::string& name : option->get_lnames()) word.spellings.push_back("--" + name);
    for (const std::string& name : option->get_snames()) word.spellings.push_back("-" + name);
    if (option->get_items_expected_max() != 0) word.value = option->get_type_name();
    word.description = option->get_description();
    words.push_back(std::move(word));
  }
  return words;
}

std::vector<Command> commands_of(const CLI::App& app) {
  std::vector<Command> commands;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    Command command{verb->get_name(), verb->get_description(), options_of(*verb), {}};
    for (const CLI::Option* option : verb->get_options())
      if (option->get_positional() && !command.positional.starts_with("NAME"))
        command.positional = option->get_name(true);
    commands.push_back(std::move(command));
  }
  return commands;
}

std::string spellings(const std::vector<Word>& words) {
  std::vector<std::string> all;
  for (const Word& word : words)
    all.insert(all.end(), word.spellings.begin(), word.spellings.end());
  return fmt::format("{}", fmt::join(all, " "));
}

// The spellings of options with a value of one sort ("" = any), joined for a shell's case.
std::string with_value(const CLI::App& app, std::string_view value) {
  std::vector<std::string> all;
  const auto collect = [&](const std::vector<Word>& words) {
    for (const Word& word : words)
      if (!word.value.empty() && (value.empty() || word.value == value))
        for (const std::string& spelling : word.spellings)
          if (std::find(all.begin(), all.end(), spelling) == all.end()) all.push_back(spelling);
  };
  collect(options_of(app));
  for (const Command& command : commands_of(app)) collect(command.options);
  return fmt::format("{}", fmt::join(all, "|"));
}

bool takes_names(const Command& command) {
  return command.positional.starts_with("NAME");
}
bool takes_files(const Command& command) {
  return command.positional.ends_with("FILE");
}

constexpr std::string_view kShells = "bash zsh fish";
// The lab runner is a program of its own: its verbs and hosts, and files for the rest.
constexpr std::string_view kLab = "up down env status exec shell list run u server v";
constexpr std::string_view kPeer = "add remove list";
constexpr std::string_view kNames = "vpnctl list --names 2>/dev/null";

std::string bash(const CLI::App& app) {
  std::vector<std::string> verbs;
  std::string cases;
  for (const Command& command : commands_of(app)) {
    verbs.push_back(command.name);
    cases += fmt::format("    {})\n      options='{}'\n", command.name, spellings(command.options));
    if (takes_names(command)) cases += fmt::format("      words=$({})\n", kNames);
    if (command.name == "peer") cases += fmt::format("      words+=' {}'\n", kPeer);
    if (command.positional == "SHELL") cases += fmt::format("      words='{}'\n", kShells);
    if (command.name == "lab") cases += fmt::format("      words='{}' files=yes\n", kLab);
    if (takes_files(command)) cases += "      files=yes\n";
    cases += "      ;;\n";
  }
  return fmt::format(
      R"(# bash completion for vpnctl; made by: vpnctl completion bash
_vpnctl() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
  local verb='' options='' words='' files='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${{COMP_WORDS[i]}} in
      {}) ((i++)) ;;
      -*) ;;
      *) verb=${{COMP_WORDS[i]}}; break ;;
    esac
  done
  COMPREPLY=()
  case $previous in
    {}) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    {}) mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    {}) return ;;
  esac
  case $verb in
    '') words='{}' ;;
{}  esac
  if [[ $current == -* ]]; then
    words="{} $options" files=''
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  if [[ $files ]]; then
    mapfile -t -O "${{#COMPREPLY[@]}}" COMPREPLY < <(compgen -f -- "$current")
  fi
}}
complete -o filenames -F _vpnctl vpnctl
)",
      with_value(app, ""), with_value(app, "FILE"), with_value(app, "FOLDER"), with_value(app, ""),
      fmt::join(verbs, " "), cases, spellings(options_of(app)));
}

// A text inside single quotes.
std::string single_quoted(std::string_view text) {
  std::string out = "'";
  for (const char character : text) out += character == '\'' ? "'\\''" : std::string(1, character);
  return out + "'";
}

// _arguments(1) takes "SPELLING[description]:value:action"; brackets and colons are its own.
std::string zsh_option(const Word& word, const std::string& spelling) {
  std::string description;
  for (const char character : word.description) {
    if (std::string_view("[]:").find(character) != std::string_view::npos) description += '\\';
    description += character;
  }
  std::string out = fmt::format("{}[{}]", spelling, description);
  if (word.value == "FILE")
    out += ":file:_files";
  else if (word.value == "FOLDER")
    out += ":folder:_files -/";
  else if (!word.value.empty())
    out += ":value: ";
  return "        " + single_quoted(out) + " \\\n";
}

std::string zsh(const CLI::App& app) {
  std::string verbs;
  std::string cases;
  const std::vector<Word> global = options_of(app);
  for (const Command& command : commands_of(app)) {
    verbs += fmt::format("    {}\n", single_quoted(command.name + ":" + command.description));
    cases += fmt::format("    {})\n      _arguments \\\n", command.name);
    for (const std::vector<Word>* words : {&command.options, &global})
      for (const Word& word : *words)
        for (const std::string& spelling : word.spellings)
          if (words == &command.options || spelling.find("help") == std::string::npos)
            cases += zsh_option(word, spelling);
    std::string action = takes_files(command)            ? "_vpnctl_names_and_files"
                         : takes_names(command)          ? "_vpnctl_names"
                         : command.positional == "SHELL" ? "(bash zsh fish)"
                                                         : " ";
    if (command.name == "lab") action = fmt::format("({})", kLab);
    if (command.name == "peer") cases += fmt::format("        '1:action:({})' \\\n", kPeer);
    cases +=
        fmt::format("        {}\n      ;;\n", single_quoted(fmt::format("*:argument:{}", action)));
  }
  return fmt::format(
      R"zsh(#compdef vpnctl
# zsh completion for vpnctl; made by: vpnctl completion zsh
_vpnctl_names() {{
  local -a names
  names=(${{(f)"$({})"}})
  compadd -a names
}}
_vpnctl_names_and_files() {{
  _vpnctl_names
  _files
}}
_vpnctl() {{
  local -a verbs
  verbs=(
{}  )
  if ((CURRENT == 2)); then
    _describe verb verbs
    return
  fi
  local verb=$words[2]
  shift words
  ((CURRENT--))
  case $verb in
{}  esac
}}
# Found by zsh itself the file is the function's first call; read with source it only says whom it completes.
if [[ $funcstack[1] == _vpnctl ]]; then
  _vpnctl "$@"
else
  compdef _vpnctl vpnctl
fi
)zsh",
      kNames, verbs, cases);
}

std::string fish_option(const Word& word, const std::string& condition) {
  std::string out = "complete -c vpnctl";
  if (!condition.empty()) out += " -n " + single_quoted(condition);
  for (const std::string& spelling : word.spellings)
    out += spelling.starts_with("--") ? " -l " + spelling.substr(2) : " -s " + spelling.substr(1);
  if (word.value == "FILE")
    out += " -rF";
  else if (word.value == "FOLDER")
    out += " -xa '(__fish_complete_directories)'";
  else if (!word.value.empty())
    out += " -x";
  return out + " -d " + single_quoted(word.description) + '\n';
}

std::string fish(const CLI::App& app) {
  std::string out =
      "# fish completion for vpnctl; made by: vpnctl completion fish\ncomplete -c vpnctl -f\n";
  for (const Word& word : options_of(app)) out += fish_option(word, "");
  for (const Command& command : commands_of(app)) {
    out += fmt::format("complete -c vpnctl -n __fish_use_subcommand -a {} -d {}\n", command.name,
                       single_quoted(command.description));
    const std::string condition = "__fish_seen_subcommand_from " + command.name;
    for (const Word& word : command.options)
      if (word.spellings.front() != "--help") out += fish_option(word, condition);
    if (takes_names(command))
      out += fmt::format("complete -c vpnctl -n {} {} -a '({})'\n", single_quoted(condition),
                         takes_files(command) ? "-F" : "-f", kNames);
    if (command.name == "peer")
      out += fmt::format("complete -c vpnctl -n {} -f -a '{}'\n", single_quoted(condition), kPeer);
    if (command.positional == "SHELL")
      out +=
          fmt::format("complete -c vpnctl -n {} -f -a '{}'\n", single_quoted(condition), kShells);
    if (command.name == "lab")
      out += fmt::format("complete -c vpnctl -n {} -F -a '{}'\n", single_quoted(condition), kLab);
  }
  return out;
}

}  // namespace

std::string completion_script(const CLI::App& app, std::string_view shell) {
  if (shell == "bash") return bash(app);
  return shell == "zsh" ? zsh(app) : fish(app);
}

}  // namespace vpntun::ctl

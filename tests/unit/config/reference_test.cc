// docs/profile.md and the tables of the source say the same, both ways.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "config/finding.h"
#include "config/keys.h"

namespace vpntun::config {
namespace {

std::string reference() {
  std::ifstream file(VPNTUN_SOURCE "/docs/profile.md");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The cells of each row whose first cell is in `backquotes` and is wanted.
template <typename Wanted>
std::vector<std::vector<std::string>> rows_of(Wanted wanted) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(reference());
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    std::vector<std::string> cells;
    std::istringstream parts(line.substr(2));
    for (std::string cell; std::getline(parts, cell, '|');) {
      cell.erase(cell.find_last_not_of(' ') + 1);
      cell.erase(0, cell.find_first_not_of(' '));
      cells.push_back(cell);
    }
    if (wanted(cells[0])) rows.push_back(cells);
  }
  return rows;
}

bool is_code(const std::string& cell) {
  return cell.size() == 7 && (cell[1] == 'E' || cell[1] == 'W' || cell[1] == 'N') && cell[2] == '0';
}

TEST(Reference, has_exactly_the_keys_of_the_loader) {
  std::vector<std::vector<std::string>> expected;
  for (const KeyRow& row : key_rows()) {
    const std::string table(row.table);
    const std::string path = table.empty() ? "" : table == "peer" ? "peer[]." : table + ".";
    expected.push_back({"`" + path + std::string(row.key) + "`", std::string(row.type),
                        std::string(row.fallback), "`" + std::string(row.example) + "`",
                        std::string(word_of(row.on_reload)), std::string(row.meaning)});
  }
  EXPECT_EQ(rows_of([](const std::string& cell) { return !is_code(cell); }), expected);
}

TEST(Reference, has_exactly_the_codes_of_the_source) {
  std::vector<std::vector<std::string>> expected;
  for (const CodeRow& row : code_rows())
    expected.push_back({"`" + std::string(row.name) + "`", std::string(row.meaning)});
  EXPECT_EQ(rows_of(is_code), expected);
}

TEST(Reference, shows_a_profile_that_loads) {
  const std::string text = reference();
  const std::size_t begin = text.find("```toml\n") + 8;
  const std::string profile = text.substr(begin, text.find("```", begin) - begin);
  const Loaded loaded = load_text(profile, "office.toml", "office");
  EXPECT_EQ(to_text(loaded.findings, false), "");
  EXPECT_TRUE(loaded.profile);
}

TEST(Keys, have_examples_that_load) {
  std::map<std::string, std::string> tables;
  for (const KeyRow& row : key_rows()) {
    const std::string line = std::string(row.key) + " = " + std::string(row.example) + "\n";
    const std::string table(row.table);
    // The rest of a profile in which this one key is right.
    std::string text = table.empty() ? line : "";
    const bool tap = row.key == "mac";
    const bool wireguard =
        row.key == "encryption" || is_wireguard_key(row.key) || table == "routing.kill-switch";
    text +=
        wireguard ? "[tunnel]\nencryption = \"wireguard\"\n" : "[tunnel]\nencryption = \"none\"\n";
    if (table == "tunnel" && row.key != "encryption") text += line;
    if (tap) text += "kind = \"tap\"\n";
    text += "[interface]\n";
    if (row.key != "listen-port") text += "listen-port = 9090\n";
    if (table == "interface") text += line;
    if (wireguard && row.key != "private-key")
      text += "private-key = \"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\"\n";
    if (table == "interface.dns") {
      text += "[interface.dns]\n" + line;
      if (row.key != "servers") text += "servers = \"192.168.60.53\"\n";
    }
    text += "[routing]\n";
    if (row.key == "masquerade") text += "forwarding = true\n";
    if (table == "routing") text += line;
    if (table == "routing.kill-switch") text += "[routing.kill-switch]\n" + line;
    if (table == "netns") {
      text += "[netns]\n" + line;
      if (row.key != "mode") text += "mode = \"create\"\n";
      if (row.key != "name") text += "name = \"x\"\n";
    }
    if (table == "access") text += "[access]\n" + line;
    text += "[[peer]]\n";
    if (!tap && row.key != "allowed-ips")
      text += wireguard ? "allowed-ips = \"0.0.0.0/0\"\n" : "allowed-ips = \"192.168.60.0/24\"\n";
    if (wireguard && row.key != "public-key")
      text += "public-key = \"TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=\"\n";
    if (row.key == "persistent-keepalive") text += "endpoint = \"10.0.2.8:9090\"\n";
    if (table == "peer") text += line;
    const Loaded loaded = load_text(text, "x.toml", "x");
    EXPECT_TRUE(loaded.profile) << text;
    for (const Finding& finding : loaded.findings)  // a credential is out of reach
      EXPECT_EQ(finding.code, "N0301") << to_text(loaded.findings, false) << text;
  }
}

TEST(Codes, are_unique_and_in_order) {
  std::map<char, std::string> last_of;
  for (const CodeRow& row : code_rows()) {
    const std::string name(row.name);
    std::string& last = last_of[name[0]];
    EXPECT_LT(last, name);
    last = name;
    EXPECT_EQ(&code_row(row.code), &row);
  }
}

}  // namespace
}  // namespace vpntun::config

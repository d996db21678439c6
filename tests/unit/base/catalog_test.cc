// systemd/vpntun.catalog and docs/journal.md against the table of events; the catalogue in the
// format that journalctl
// --update-catalog reads (catalog files of systemd: "-- ID", header lines, an empty line, text).
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/events.h"

namespace vpntun::log {
namespace {

using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::MatchesRegex;

struct CatalogEntry {
  std::string word;  // of the comment before it
  std::map<std::string, std::string> header;
  std::vector<std::string> text;
};

std::map<std::string, CatalogEntry> read_catalog() {
  std::ifstream file(VPNTUN_CATALOG);
  EXPECT_TRUE(file) << VPNTUN_CATALOG;
  std::map<std::string, CatalogEntry> entries;
  CatalogEntry* entry = nullptr;
  bool in_header = false;
  std::string comment;
  std::string before;
  for (std::string line; std::getline(file, line); before = line) {
    if (line.starts_with("#")) {
      EXPECT_EQ(before.empty() || before.starts_with("#"), true) << line;
      comment = line.substr(std::min<std::size_t>(2, line.size()));
    } else if (line.starts_with("-- ")) {
      EXPECT_FALSE(entries.contains(line.substr(3))) << "twice: " << line;
      entry = &entries[line.substr(3)];
      entry->word = comment;
      in_header = true;
    } else if (entry == nullptr || line.empty()) {
      EXPECT_TRUE(line.empty()) << "before the first entry: " << line;
      in_header = false;
    } else if (in_header) {
      const std::size_t colon = line.find(": ");
      EXPECT_NE(colon, std::string::npos) << line;
      entry->header[line.substr(0, colon)] = line.substr(std::min(colon, line.size() - 2) + 2);
    } else {
      entry->text.push_back(line);
    }
  }
  return entries;
}

// The fields a text has in it, as @FIELD@.
std::set<std::string> fields_in(const CatalogEntry& entry) {
  std::set<std::string> fields;
  std::vector<std::string> lines = entry.text;
  if (entry.header.contains("Subject")) lines.push_back(entry.header.at("Subject"));
  for (const std::string& line : lines)
    for (std::size_t at = line.find('@'); at != std::string::npos; at = line.find('@', at + 1)) {
      const std::size_t end = line.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", at + 1);
      if (end != std::string::npos && end > at + 1 && line[end] == '@') {
        fields.insert(line.substr(at + 1, end - at - 1));
        at = end;
      }
    }
  return fields;
}

TEST(Catalog, ExplainsEveryEventAndNothingElse) {
  std::map<std::string, std::string> wanted;
  for (const EventInfo& event : events()) wanted.emplace(event.message_id, event.word);
  std::map<std::string, std::string> found;
  for (const auto& [id, entry] : read_catalog()) found.emplace(id, entry.word);
  EXPECT_EQ(found, wanted);
}

// "| `word` | of | `priority` | fields | says *folded* |"
TEST(Journal, ThePageHasEveryEventAsItIs) {
  std::ifstream page(VPNTUN_JOURNAL_PAGE);
  ASSERT_TRUE(page) << VPNTUN_JOURNAL_PAGE;
  std::map<std::string, std::string> shown;
  bool in_events = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("## ")) in_events = line == "## Events";
    if (!in_events || !line.starts_with("| `")) continue;
    const std::size_t end = line.find('`', 3);
    shown.emplace(line.substr(3, end - 3), line.substr(end));
  }
  for (const EventInfo& event : events()) {
    const std::string row = shown[std::string(event.word)];
    EXPECT_THAT(row, HasSubstr(fmt::format("| `{}` |", to_string(event.level)))) << event.word;
    EXPECT_EQ(row.find("*folded*") != row.npos, event.folds) << event.word;
  }
  EXPECT_EQ(shown.size(), events().size());
}

TEST(Catalog, EveryEntryHasASubjectAPageAndAText) {
  const std::set<std::string> known{"VPNTUN_TUNNEL", "VPNTUN_PEER", "VPNTUN_REASON",
                                    "VPNTUN_ENDPOINT", "INTERFACE"};
  for (const auto& [id, entry] : read_catalog()) {
    SCOPED_TRACE(entry.word);
    EXPECT_EQ(entry.header.size(), 3u);
    EXPECT_EQ(entry.header.contains("Subject"), true);
    EXPECT_EQ(entry.header.contains("Defined-By") ? entry.header.at("Defined-By") : "", "vpntun");
    EXPECT_THAT(entry.header.contains("Documentation") ? entry.header.at("Documentation") : "",
                MatchesRegex("man:[a-z0-9.]+\\([1-8]\\)"));
    EXPECT_FALSE(entry.text.empty());
    for (const std::string& line : entry.text) EXPECT_LE(line.size(), 80u) << line;
    EXPECT_THAT(known, IsSupersetOf(fields_in(entry)));
  }
}

}  // namespace
}  // namespace vpntun::log

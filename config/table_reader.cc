#include "config/table_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace vpntun::config {
namespace {

// As a key, or as a table inside.
bool is_known(std::string_view table, std::string_view key) {
  const auto rows = key_rows();
  const std::string inner = table.empty() ? std::string(key) : fmt::format("{}.{}", table, key);
  return std::any_of(rows.begin(), rows.end(), [&](const KeyRow& row) {
    return (row.table == table && row.key == key) || row.table == inner;
  });
}

std::string header_of(std::string_view table) {
  if (table.empty()) return "at the top of the file";
  return table == "peer" ? "in [[peer]]" : fmt::format("in [{}]", table);
}

}  // namespace

TableReader::TableReader(const Value& value, std::string_view name, std::string path,
                         Report& report, bool plain)
    : value_(value), name_(name), path_(std::move(path)), report_(report) {
  for (const Entry& entry : value_.entries)
    if (plain && is_wireguard_key(entry.key))
      report_wireguard_key(entry);
    else if (!is_known(name_, entry.key))
      report_unknown(entry);
}

void TableReader::report_wireguard_key(const Entry& entry) const {
  report_.add(Code::kWireguardKey, {entry.key_place, path_},
              fmt::format("{} is a key of WireGuard, which the plain transport does not use",
                          in_quotes(entry.key)),
              {"not used without encryption",
               "remove it, or set encryption = \"wireguard\" under [tunnel]"});
}

void TableReader::report_unknown(const Entry& entry) const {
  const Spot spot{entry.key_place, path_};
  const bool table = entry.value.type == Value::Type::kTable;
  const Suggestion suggestion = suggest(name_, entry.key);
  Hint hint;
  if (!suggestion.table.empty())
    hint.help = fmt::format("\"{}\" belongs {}", suggestion.key, header_of(suggestion.table));
  else if (!suggestion.key.empty())
    hint.detail = fmt::format("did you mean \"{}\"?", suggestion.key);
  else
    hint.help = fmt::format("the keys {} are: {}", header_of(name_), [this] {
      std::string keys;
      for (const KeyRow& row : key_rows())
        if (row.table == name_) keys += fmt::format("{}{}", keys.empty() ? "" : ", ", row.key);
      return keys;
    }());
  if (hint.detail.empty() && suggestion.key.empty() && table && name_.empty())
    hint.help = "the tables are: [tunnel], [interface], [routing], [netns], [access], [[peer]]";
  report_.add(Code::kUnknownKey, spot,
              fmt::format("unknown {} {}", table ? "table" : "key", in_quotes(entry.key)),
              std::move(hint));
}

bool TableReader::has_or_means(std::string_view key) const {
  return std::any_of(value_.entries.begin(), value_.entries.end(), [&](const Entry& entry) {
    if (entry.key == key) return true;
    if (is_known(name_, entry.key)) return false;
    const Suggestion suggestion = suggest(name_, entry.key);
    return suggestion.key == key && suggestion.table.empty();
  });
}

const Value* TableReader::find(std::string_view key) const {
  const Entry* entry = value_.find(key);
  return entry ? &entry->value : nullptr;
}

bool TableReader::is(std::string_view key, Value::Type type) const {
  const Value* value = find(key);
  return value && value->type == type;
}

std::string TableReader::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

Spot TableReader::spot(std::string_view key) const {
  const Value* value = find(key);
  return {value ? value->place : value_.place, path_of(key)};
}

void TableReader::wrong_type(std::string_view key, const Value& value,
                             const std::string& at) const {
  const KeyRow& row = key_row(name_, key);
  const std::string_view expected = at.empty() ? row.type : "a string";
  report_.add(Code::kWrongType, {value.place, path_of(key) + at},
              fmt::format("expected {}, got {}", expected, type_name(value.type)),
              {"", fmt::format("for example: {} = {}", key, row.example)});
}

void TableReader::not_one_of(std::string_view key, const std::string& written,
                             std::initializer_list<std::string_view> words) const {
  const std::string near = nearest(written, {words.begin(), words.size()});
  report_.add(Code::kNotOneOf, spot(key),
              fmt::format("expected {}, got {}", key_row(name_, key).type, in_quotes(written)),
              {near.empty() ? "" : fmt::format("did you mean \"{}\"?", near), ""});
}

std::optional<Located<std::string>> TableReader::string(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return std::nullopt;
  if (value->type == Value::Type::kString) return {{value->text, spot(key)}};
  wrong_type(key, *value);
  return std::nullopt;
}

std::optional<Located<std::int64_t>> TableReader::integer(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return std::nullopt;
  if (value->type == Value::Type::kInteger) return {{value->integer, spot(key)}};
  wrong_type(key, *value);
  return std::nullopt;
}

std::optional<Located<bool>> TableReader::boolean(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return std::nullopt;
  if (value->type == Value::Type::kBoolean) return {{value->boolean, spot(key)}};
  wrong_type(key, *value);
  return std::nullopt;
}

std::vector<Located<std::string>> TableReader::strings(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return {};
  if (value->type == Value::Type::kString) return {{value->text, spot(key)}};
  if (value->type != Value::Type::kArray) {
    wrong_type(key, *value);
    return {};
  }
  std::vector<Located<std::string>> list;
  for (std::size_t i = 0; i < value->items.size(); ++i) {
    const Value& item = value->items[i];
    const std::string at = fmt::format("[{}]", i);
    if (item.type == Value::Type::kString)
      list.push_back({item.text, {item.place, path_of(key) + at}});
    else
      wrong_type(key, item, at);
  }
  return list;
}

std::optional<std::size_t> TableReader::word(std::string_view key,
                                             std::initializer_list<std::string_view> words) const {
  const auto written = string(key);
  if (!written) return std::nullopt;
  const auto* found = std::find(words.begin(), words.end(), written->value);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  not_one_of(key, written->value, words);
  return std::nullopt;
}

}  // namespace vpntun::config

#include "config/document.h"

// No assertions, as in Debian's library: some hold only for right texts ("[[" at the end of a
// line), and what follows them gives a proper error for the others.
#define TOML_ASSERT(condition) static_assert(true)
#include <toml++/toml.h>

#include <algorithm>

namespace vpntun::config {
namespace {

Place place_of(const toml::source_region& region) {
  const auto begin = region.begin;
  const auto end = region.end;
  const bool one_line = begin.line == end.line && end.column > begin.column;
  return {begin.line, begin.column, one_line ? end.column - begin.column : 0};
}

Value value_of(const toml::node& node);

std::vector<Entry> entries_of(const toml::table& table) {
  std::vector<Entry> entries;
  entries.reserve(table.size());
  for (const auto& [key, node] : table)
    entries.push_back({std::string(key.str()), place_of(key.source()), value_of(node)});
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.key_place.line, a.key_place.column) <
           std::pair(b.key_place.line, b.key_place.column);
  });
  return entries;
}

Value value_of(const toml::node& node) {
  Value value;
  value.place = place_of(node.source());
  switch (node.type()) {
    case toml::node_type::string:
      value.type = Value::Type::kString;
      value.text = node.as_string()->get();
      break;
    case toml::node_type::integer:
      value.type = Value::Type::kInteger;
      value.integer = node.as_integer()->get();
      break;
    case toml::node_type::floating_point:
      value.type = Value::Type::kFloat;
      break;
    case toml::node_type::boolean:
      value.type = Value::Type::kBoolean;
      value.boolean = node.as_boolean()->get();
      break;
    case toml::node_type::array:
      value.type = Value::Type::kArray;
      for (const toml::node& item : *node.as_array()) value.items.push_back(value_of(item));
      break;
    case toml::node_type::table:
      value.type = Value::Type::kTable;
      value.entries = entries_of(*node.as_table());
      break;
    default:
      value.type = Value::Type::kDate;
      break;
  }
  return value;
}

}  // namespace

const Entry* Value::find(std::string_view key) const {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [key](const Entry& entry) { return entry.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

std::variant<Value, SyntaxError> parse_document(std::string_view text) {
  try {
    return value_of(toml::parse(text));
  } catch (const toml::parse_error& error) {
    std::string_view message = error.description();
    const bool redefinition = message.find("cannot redefine") != std::string_view::npos;
    constexpr std::string_view kPrefix = "Error while ";
    if (message.starts_with(kPrefix)) message.remove_prefix(kPrefix.size());
    Place place = place_of(error.source());
    if (place.length == 0) place.length = 1;
    return SyntaxError{place, std::string(message), redefinition};
  }
}

std::string_view type_name(Value::Type type) noexcept {
  switch (type) {
    case Value::Type::kString:
      return "a string";
    case Value::Type::kInteger:
      return "an integer";
    case Value::Type::kFloat:
      return "a decimal number";
    case Value::Type::kBoolean:
      return "a boolean";
    case Value::Type::kDate:
      return "a date or time";
    case Value::Type::kArray:
      return "a list";
    case Value::Type::kTable:
      break;
  }
  return "a table";
}

}  // namespace vpntun::config

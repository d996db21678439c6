// A parsed TOML text as plain values that know where they stand. The only door to toml++. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/source_text.h"

namespace vpntun::config {

struct Entry;

struct Value {
  enum class Type { kString, kInteger, kFloat, kBoolean, kDate, kArray, kTable };
  Type type = Type::kTable;
  Place place;                 // of a table: its header
  std::string text;            // kString
  std::int64_t integer = 0;    // kInteger
  bool boolean = false;        // kBoolean
  std::vector<Value> items;    // kArray
  std::vector<Entry> entries;  // kTable, by position

  // The entry of a table, or null.
  const Entry* find(std::string_view key) const;
};

struct Entry {
  std::string key;
  Place key_place;
  Value value;
};

struct SyntaxError {
  Place place;
  std::string message;
  bool redefinition = false;  // a key or table that exists already
};

// text: UTF-8 that in which find_hazard() finds nothing.
std::variant<Value, SyntaxError> parse_document(std::string_view text);

// "a string", "an integer", ...
std::string_view type_name(Value::Type type) noexcept;

}  // namespace vpntun::config

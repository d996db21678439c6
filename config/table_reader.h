// One table of a document, read key by key into typed values; what is wrong with keys and types is
// reported on the way. The key table (keys.h) says which keys exist and of what type they are. Used
// by read_profile.cc. Pure.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/document.h"
#include "config/report.h"

namespace vpntun::config {

class TableReader {
 public:
  // name: of the table in the key table; path: in this document, "" or "peer[1]". Reports unknown
  // keys and, of a profile without encryption (`plain`), those of WireGuard. value and report must
  // outlive the reader.
  TableReader(const Value& value, std::string_view name, std::string path, Report& report,
              bool plain = false);

  // Nothing when the key is absent or of another type, which is reported.
  std::optional<Located<std::string>> string(std::string_view key) const;
  std::optional<Located<std::int64_t>> integer(std::string_view key) const;
  std::optional<Located<bool>> boolean(std::string_view key) const;
  // A list of strings, or one string where the key table has it so.
  std::vector<Located<std::string>> strings(std::string_view key) const;
  // The index of the word that the key's string is.
  std::optional<std::size_t> word(std::string_view key,
                                  std::initializer_list<std::string_view> words) const;

  // Whether the key is there, or one that was probably meant to be it.
  bool has_or_means(std::string_view key) const;

  // For keys of several types.
  const Value* find(std::string_view key) const;
  bool is(std::string_view key, Value::Type type) const;
  void wrong_type(std::string_view key, const Value& value, const std::string& at = "") const;
  void not_one_of(std::string_view key, const std::string& written,
                  std::initializer_list<std::string_view> words) const;

  // The value of a key; the table itself when there is none.
  Spot spot(std::string_view key) const;
  Spot spot() const { return {value_.place, path_}; }
  Report& report() const { return report_; }

 private:
  void report_unknown(const Entry& entry) const;
  void report_wireguard_key(const Entry& entry) const;
  std::string path_of(std::string_view key) const;

  const Value& value_;
  std::string name_;
  std::string path_;
  Report& report_;
};

}  // namespace vpntun::config

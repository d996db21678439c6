// Collects findings while a profile is read and checked. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/finding.h"
#include "config/keys.h"
#include "config/source_text.h"

namespace vpntun::config {

// A key of the file and where it, or its value, stands.
struct Spot {
  Place place;
  std::string key;  // "peer[1].allowed-ips[0]"
};

// A value and the spot it was read from.
template <typename T>
struct Located {
  T value{};
  Spot spot;
};

// What to say beside the message; both may be empty.
struct Hint {
  std::string detail;  // beside the caret
  std::string help;    // what to do
};

class Report {
 public:
  // source must outlive the report.
  Report(const SourceText& source, std::string file) : source_(source), file_(std::move(file)) {}

  // An error, or a warning when the code is one.
  void add(Code code, const Spot& spot, std::string message, Hint hint = {});

  bool has_errors() const noexcept { return errors_ > 0; }
  // The findings by position, the first kMaxShown of them. Leaves the report empty.
  std::vector<Finding> take();

  static constexpr std::size_t kMaxShown = 100;

 private:
  // Sorts, and keeps the first kMaxShown.
  void drop_last();

  const SourceText& source_;
  std::string file_;
  std::vector<Finding> findings_;
  std::size_t errors_ = 0;  // dropped ones included
  std::size_t hidden_ = 0;
};

// Text of a profile for a message: in double quotes, escaped, cut when long.
std::string in_quotes(std::string_view text);

}  // namespace vpntun::config

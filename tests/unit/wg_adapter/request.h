// One line of the adapter's input as words, and what a word may be.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "crypto/crypto.h"

namespace vpntun::adapter {

using Octets = std::vector<std::uint8_t>;

// The answer is "err".
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Request {
 public:
  explicit Request(const std::string& line) {
    std::istringstream words(line);
    words >> verb_;
    for (std::string word; words >> word;) rest_.push_back(word);
  }

  const std::string& verb() const { return verb_; }
  bool has_more() const { return next_ < rest_.size(); }
  const std::string& word() {
    if (!has_more()) throw Refused("a word is missing");
    return rest_[next_++];
  }

  template <typename Number>
  Number number() {
    const std::string& text = word();
    const bool hex = text.starts_with("0x");
    const char* end = text.data() + text.size();
    Number value = 0;
    const auto [stop, error] =
        std::from_chars(text.data() + (hex ? 2 : 0), end, value, hex ? 16 : 10);
    if (error != std::errc() || stop != end) throw Refused("no number: " + text);
    return value;
  }
  Octets bytes() {
    const std::string& text = word();
    Octets bytes;
    if (text == "-") return bytes;
    if (text.size() % 2 != 0) throw Refused("half a byte: " + text);
    for (std::size_t i = 0; i < text.size(); i += 2)
      bytes.push_back(static_cast<std::uint8_t>(digit(text[i]) << 4 | digit(text[i + 1])));
    return bytes;
  }
  template <std::size_t Size>
  std::array<std::uint8_t, Size> exactly() {
    const Octets given = bytes();
    if (given.size() != Size) throw Refused("not of the size");
    std::array<std::uint8_t, Size> result;
    std::copy(given.begin(), given.end(), result.begin());
    return result;
  }
  crypto::SecretKey secret() { return crypto::SecretKey(exactly<crypto::kKeySize>()); }
  crypto::PublicKey public_key() { return {exactly<crypto::kKeySize>()}; }
  std::optional<crypto::SecretKey> preshared() {
    const std::string& text = word();
    if (text == "-") return std::nullopt;
    --next_;
    return secret();
  }
  IpAddress address() {
    const auto address = IpAddress::parse(word());
    if (!address) throw Refused("no address");
    return *address;
  }
  IpPrefix prefix() {
    const IpPrefix prefix{address(), number<unsigned>()};
    if (prefix.length > prefix.address.bits()) throw Refused("no prefix");
    return prefix.network();
  }

 private:
  static unsigned digit(char c) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const std::size_t value = kDigits.find(static_cast<char>(c >= 'A' && c <= 'F' ? c + 32 : c));
    if (value == std::string_view::npos) throw Refused("no hex digit");
    return static_cast<unsigned>(value);
  }

  std::string verb_;
  std::vector<std::string> rest_;
  std::size_t next_ = 0;
};

}  // namespace vpntun::adapter

// The secrets of a handshake as text, in the form of Wireshark's wg.keylog_file. Called by the
// captures. Thread: a worker that holds the tables.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "wg/device.h"

namespace vpntun::dataplane {

// Wipes itself.
class KeyLogText {
 public:
  explicit KeyLogText(const wg::HandshakeSecrets& secrets);
  ~KeyLogText();
  KeyLogText(const KeyLogText&) = delete;
  KeyLogText& operator=(const KeyLogText&) = delete;

  std::span<const std::uint8_t> bytes() const noexcept {
    return {reinterpret_cast<const std::uint8_t*>(text_.data()), text_.size()};
  }

 private:
  void add(std::string_view what, const crypto::SecretKey& key);
  void add(std::string_view what, std::string_view key);

  std::string text_;  // never reallocated, for that would leave a copy
};

}  // namespace vpntun::dataplane

#include "dataplane/key_log_text.h"

#include <string_view>

#include "crypto/crypto.h"

namespace vpntun::dataplane {
namespace {

constexpr std::size_t kLines = 4;
constexpr std::size_t kLongestLine = 32 + crypto::kKeyTextSize;

}  // namespace

KeyLogText::KeyLogText(const wg::HandshakeSecrets& secrets) {
  text_.reserve(kLines * kLongestLine);
  add("LOCAL_STATIC_PRIVATE_KEY", secrets.local_static);
  add("REMOTE_STATIC_PUBLIC_KEY", secrets.remote_static.to_string());
  add("LOCAL_EPHEMERAL_PRIVATE_KEY", secrets.local_ephemeral);
  // Belongs to the ephemeral key in front of it.
  if (!secrets.preshared.is_zero()) add("PRESHARED_KEY", secrets.preshared);
}

KeyLogText::~KeyLogText() {
  crypto::wipe(text_);
}

void KeyLogText::add(std::string_view what, const crypto::SecretKey& key) {
  std::string text = key.expose_text();
  add(what, text);
  crypto::wipe(text);
}

void KeyLogText::add(std::string_view what, std::string_view key) {
  text_.append(what).append(" = ").append(key).append("\n");
}

}  // namespace vpntun::dataplane

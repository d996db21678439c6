// Handshake messages and cookies that a stranger cannot make: mac1 is put right, and responses and
// cookies carry the index that waits for them, so what lies behind is reached. The input is
// messages of at most 148 bytes, one after the other; the first byte of each is its type. Every
// other time the device is under load.
#include "wg/macs.h"
#include "wg_target.h"

namespace vpntun::wg {
namespace {

std::size_t size_of(MessageType type) {
  switch (type) {
    case MessageType::kInitiation:
      return kInitiationSize;
    case MessageType::kResponse:
      return kResponseSize;
    default:
      return kCookieReplySize;
  }
}

void put_right(MutableBytes message, MessageType type, const Target& target, Instant now) {
  message[0] = static_cast<std::uint8_t>(type);
  message[1] = message[2] = message[3] = 0;
  if (type == MessageType::kResponse) store_le(message.data() + 8, target.waiting_index());
  if (type == MessageType::kCookieReply) {
    store_le(message.data() + 4, target.waiting_index());
  } else {
    CookieJar(Target::public_key()).seal(message, now);
  }
}

// With responses to nobody, which cost the least.
void load(Target& target) {
  std::vector<std::uint8_t> message(kResponseSize);
  message[0] = static_cast<std::uint8_t>(MessageType::kResponse);
  store_le(message.data() + 8, ~target.waiting_index());
  CookieJar(Target::public_key()).seal(message, target.now);
  while (!target.device.under_load(target.now)) target.shoot(message);
}

}  // namespace
}  // namespace vpntun::wg

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vpntun::wg;
  Target target;
  for (std::span<const std::uint8_t> rest(data, size); !rest.empty();) {
    const auto type = static_cast<MessageType>(1 + rest[0] % 3);
    if ((rest[0] & 0x80) != 0) load(target);
    std::vector<std::uint8_t> message(size_of(type));
    const std::size_t given = std::min(rest.size(), message.size());
    std::copy_n(rest.begin(), given, message.begin());
    rest = rest.subspan(given);
    put_right(message, type, target, target.now);
    target.now += std::chrono::milliseconds(25);
    target.shoot(message);
  }
  target.check_session();
  return 0;
}

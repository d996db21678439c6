#include "wg/messages.h"

#include <algorithm>

#include "base/wire.h"

namespace vpntun::wg {
namespace {

// Takes the fields of a message from front to back. The message is long enough: type_of() said so.
class Reader {
 public:
  explicit Reader(Bytes message) : rest_(message.subspan(4)) {}  // behind type and reserved bytes

  std::uint32_t index() noexcept { return load_le<std::uint32_t>(next(4).data()); }
  std::uint64_t counter() noexcept { return load_le<std::uint64_t>(next(8).data()); }
  template <std::size_t Size>
  std::array<std::uint8_t, Size> bytes() noexcept {
    std::array<std::uint8_t, Size> field;
    std::ranges::copy(next(Size), field.begin());
    return field;
  }

 private:
  Bytes next(std::size_t size) noexcept {
    const Bytes field = rest_.first(size);
    rest_ = rest_.subspan(size);
    return field;
  }

  Bytes rest_;
};

class Writer {
 public:
  Writer(MessageType type, MutableBytes out) : rest_(out) {
    bytes(std::array<std::uint8_t, 4>{static_cast<std::uint8_t>(type)});
  }

  Writer& index(std::uint32_t value) noexcept {
    store_le(next(4).data(), value);
    return *this;
  }
  Writer& counter(std::uint64_t value) noexcept {
    store_le(next(8).data(), value);
    return *this;
  }
  Writer& bytes(Bytes field) noexcept {
    std::ranges::copy(field, next(field.size()).begin());
    return *this;
  }

 private:
  MutableBytes next(std::size_t size) noexcept {
    const MutableBytes field = rest_.first(size);
    rest_ = rest_.subspan(size);
    return field;
  }

  MutableBytes rest_;
};

bool may_have_size(MessageType type, std::size_t size) noexcept {
  switch (type) {
    case MessageType::kInitiation:
      return size == kInitiationSize;
    case MessageType::kResponse:
      return size == kResponseSize;
    case MessageType::kCookieReply:
      return size == kCookieReplySize;
    case MessageType::kData:
      return size >= kDataOverhead;
  }
  return false;
}

}  // namespace

std::optional<MessageType> type_of(Bytes datagram) noexcept {
  if (datagram.size() < 4) return std::nullopt;
  const std::uint32_t word = load_le<std::uint32_t>(datagram.data());
  if (word < 1 || word > 4) return std::nullopt;  // also when a reserved byte is not zero
  const auto type = static_cast<MessageType>(word);
  if (!may_have_size(type, datagram.size())) return std::nullopt;
  return type;
}

Initiation read_initiation(Bytes datagram) noexcept {
  Reader in(datagram);
  Initiation message;
  message.sender = in.index();
  message.ephemeral.bytes = in.bytes<crypto::kKeySize>();
  message.sealed_static = in.bytes<crypto::kKeySize + crypto::kTagSize>();
  message.sealed_timestamp = in.bytes<kTimestampSize + crypto::kTagSize>();
  message.mac1 = in.bytes<crypto::kMacSize>();
  message.mac2 = in.bytes<crypto::kMacSize>();
  return message;
}

Response read_response(Bytes datagram) noexcept {
  Reader in(datagram);
  Response message;
  message.sender = in.index();
  message.receiver = in.index();
  message.ephemeral.bytes = in.bytes<crypto::kKeySize>();
  message.sealed_nothing = in.bytes<crypto::kTagSize>();
  message.mac1 = in.bytes<crypto::kMacSize>();
  message.mac2 = in.bytes<crypto::kMacSize>();
  return message;
}

CookieReply read_cookie_reply(Bytes datagram) noexcept {
  Reader in(datagram);
  CookieReply message;
  message.receiver = in.index();
  message.nonce = in.bytes<crypto::kXNonceSize>();
  message.sealed_cookie = in.bytes<crypto::kMacSize + crypto::kTagSize>();
  return message;
}

DataHeader read_data_header(Bytes datagram) noexcept {
  Reader in(datagram);
  DataHeader header;
  header.receiver = in.index();
  header.counter = in.counter();
  return header;
}

std::array<std::uint8_t, kInitiationSize> write(const Initiation& message) noexcept {
  std::array<std::uint8_t, kInitiationSize> out;
  Writer(MessageType::kInitiation, out)
      .index(message.sender)
      .bytes(message.ephemeral.bytes)
      .bytes(message.sealed_static)
      .bytes(message.sealed_timestamp)
      .bytes(message.mac1)
      .bytes(message.mac2);
  return out;
}

std::array<std::uint8_t, kResponseSize> write(const Response& message) noexcept {
  std::array<std::uint8_t, kResponseSize> out;
  Writer(MessageType::kResponse, out)
      .index(message.sender)
      .index(message.receiver)
      .bytes(message.ephemeral.bytes)
      .bytes(message.sealed_nothing)
      .bytes(message.mac1)
      .bytes(message.mac2);
  return out;
}

std::array<std::uint8_t, kCookieReplySize> write(const CookieReply& message) noexcept {
  std::array<std::uint8_t, kCookieReplySize> out;
  Writer(MessageType::kCookieReply, out)
      .index(message.receiver)
      .bytes(message.nonce)
      .bytes(message.sealed_cookie);
  return out;
}

void write(const DataHeader& header, MutableBytes out) noexcept {
  Writer(MessageType::kData, out.first(kDataHeaderSize))
      .index(header.receiver)
      .counter(header.counter);
}

Bytes before_mac1(Bytes handshake) noexcept {
  return handshake.first(handshake.size() - kMacsSize);
}

Bytes before_mac2(Bytes handshake) noexcept {
  return handshake.first(handshake.size() - crypto::kMacSize);
}

}  // namespace vpntun::wg

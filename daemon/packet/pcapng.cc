#include "packet/pcapng.h"

#include <algorithm>

#include "base/wire.h"
#include "packet/pcapng_format.h"

namespace vpntun::packet {
namespace {

void put16(std::vector<std::uint8_t>& out, std::uint16_t value) {
  out.resize(out.size() + 2);
  store_le(out.data() + out.size() - 2, value);
}

void put32(std::vector<std::uint8_t>& out, std::uint32_t value) {
  out.resize(out.size() + 4);
  store_le(out.data() + out.size() - 4, value);
}

void put64(std::vector<std::uint8_t>& out, std::uint64_t value) {
  out.resize(out.size() + 8);
  store_le(out.data() + out.size() - 8, value);
}

// Time stamps stand as their upper and their lower half.
void put_time(std::vector<std::uint8_t>& out, std::chrono::nanoseconds time) {
  const auto ticks = static_cast<std::uint64_t>(time.count());
  put32(out, static_cast<std::uint32_t>(ticks >> 32));
  put32(out, static_cast<std::uint32_t>(ticks));
}

void put_bytes(std::vector<std::uint8_t>& out, std::span<const std::uint8_t> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void put_padding(std::vector<std::uint8_t>& out, std::size_t length) {
  out.resize(out.size() + padded(length) - length);
}

// The most of an UTF-8 text that an option holds, cut between characters.
std::string_view fitting(std::string_view text) noexcept {
  if (text.size() <= 65535) return text;
  std::size_t end = 65535;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

void put_text_option(std::vector<std::uint8_t>& out, std::uint16_t code, std::string_view text) {
  if (text.empty()) return;
  text = fitting(text);
  put16(out, code);
  put16(out, static_cast<std::uint16_t>(text.size()));
  out.insert(out.end(), text.begin(), text.end());
  put_padding(out, text.size());
}

void put_end_of_options(std::vector<std::uint8_t>& out) {
  put32(out, kOptionEnd);
}

// Writes a block's type and, when it goes, the two length fields.
class BlockFrame {
 public:
  BlockFrame(std::vector<std::uint8_t>& out, std::uint32_t type) : out_(out), start_(out.size()) {
    put32(out_, type);
    put32(out_, 0);
  }
  void close() {
    const auto length = static_cast<std::uint32_t>(out_.size() - start_ + 4);
    store_le(out_.data() + start_ + 4, length);
    put32(out_, length);
  }

 private:
  std::vector<std::uint8_t>& out_;
  std::size_t start_;
};

}  // namespace

void append_section_header(std::vector<std::uint8_t>& out, std::string_view application) {
  BlockFrame block(out, kSectionHeader);
  put32(out, kByteOrderMagic);
  put16(out, 1);
  put16(out, 0);
  put64(out, ~std::uint64_t{0});  // the section's length: not known
  put_text_option(out, kOptionApplication, application);
  put_end_of_options(out);
  block.close();
}

void append_interface(std::vector<std::uint8_t>& out, const PcapngInterface& interface) {
  BlockFrame block(out, kInterfaceDescription);
  put16(out, static_cast<std::uint16_t>(interface.link));
  put16(out, 0);
  put32(out, interface.snaplen);
  put_text_option(out, kOptionInterfaceName, interface.name);
  put_text_option(out, kOptionInterfaceDescription, interface.description);
  put16(out, kOptionTimeResolution);
  put16(out, 1);
  put32(out, 9);  // 10^-9 s, one byte and its padding
  put_end_of_options(out);
  block.close();
}

void append_packet(std::vector<std::uint8_t>& out, const PcapngPacket& packet) {
  const std::size_t kept = packet.bytes.size() + packet.more.size();
  BlockFrame block(out, kEnhancedPacket);
  put32(out, packet.interface);
  put_time(out, packet.time);
  put32(out, static_cast<std::uint32_t>(kept));
  put32(out, static_cast<std::uint32_t>(std::max(kept, packet.original_length)));
  put_bytes(out, packet.bytes);
  put_bytes(out, packet.more);
  put_padding(out, kept);
  put_text_option(out, kOptionComment, packet.comment);
  put16(out, kOptionPacketFlags);
  put16(out, 4);
  put32(out, static_cast<std::uint32_t>(packet.direction));
  put_end_of_options(out);
  block.close();
}

std::size_t packet_block_size(const PcapngPacket& packet) noexcept {
  constexpr std::size_t kFixed = 8 + 20 + 8 + 4 + 4;  // with flags, end of options, second length
  const std::size_t comment = fitting(packet.comment).size();
  return kFixed + padded(packet.bytes.size() + packet.more.size()) +
         (comment == 0 ? 0 : 4 + padded(comment));
}

void append_statistics(std::vector<std::uint8_t>& out, std::uint32_t interface,
                       std::chrono::nanoseconds time, std::uint64_t received,
                       std::uint64_t dropped) {
  BlockFrame block(out, kInterfaceStatistics);
  put32(out, interface);
  put_time(out, time);
  put16(out, kOptionReceived);
  put16(out, 8);
  put64(out, received);
  put16(out, kOptionDropped);
  put16(out, 8);
  put64(out, dropped);
  put_end_of_options(out);
  block.close();
}

void append_secrets(std::vector<std::uint8_t>& out, SecretsType type,
                    std::span<const std::uint8_t> secrets) {
  BlockFrame block(out, kDecryptionSecrets);
  put32(out, static_cast<std::uint32_t>(type));
  put32(out, static_cast<std::uint32_t>(secrets.size()));
  put_bytes(out, secrets);
  put_padding(out, secrets.size());
  block.close();
}

std::size_t secrets_block_size(std::span<const std::uint8_t> secrets) noexcept {
  constexpr std::size_t kFixed = 8 + 8 + 4;  // with the second length
  return kFixed + padded(secrets.size());
}

}  // namespace vpntun::packet

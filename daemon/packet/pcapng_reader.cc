#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/wire.h"
#include "packet/pcapng.h"
#include "packet/pcapng_format.h"

namespace vpntun::packet {
namespace {

constexpr std::size_t kBlockHeader = 8;
constexpr std::size_t kSmallestBlock = 12;

std::string text_of(std::span<const std::uint8_t> bytes) {
  return std::string(bytes.begin(), bytes.end());
}

}  // namespace

template <typename Value>
Value PcapngReader::load(std::span<const std::uint8_t> bytes, std::size_t offset) const noexcept {
  return big_endian_ ? load_be<Value>(bytes.data() + offset)
                     : load_le<Value>(bytes.data() + offset);
}

// Calls use(code, value) until the end of options; lengths that leave the options end the reading.
template <typename Use>
void PcapngReader::for_each_option(std::span<const std::uint8_t> options, Use use) {
  while (options.size() >= 4) {
    const auto code = load<std::uint16_t>(options, 0);
    const std::size_t length = load<std::uint16_t>(options, 2);
    if (code == kOptionEnd) return;
    if (options.size() < 4 + padded(length)) {
      fail("an option is longer than its block");
      return;
    }
    use(code, options.subspan(4, length));
    options = options.subspan(4 + padded(length));
  }
}

void PcapngReader::fail(std::string reason) {
  if (error_.empty()) error_ = std::move(reason);
}

void PcapngReader::feed(std::span<const std::uint8_t> bytes) {
  if (failed()) return;
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(consumed_));
  consumed_ = 0;
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

std::optional<PcapngReader::Record> PcapngReader::next() {
  while (const auto block = next_block()) {
    std::optional<Record> record;
    if (block->type == kSectionHeader)
      read_section_header(*block);
    else if (block->type == kInterfaceDescription)
      read_interface(*block);
    else if (block->type == kEnhancedPacket)
      record = read_packet(*block);
    else if (block->type == kInterfaceStatistics)
      read_statistics(*block);
    if (failed()) break;
    if (record) return record;
  }
  return std::nullopt;
}

// A section header says which byte order its own length has. False: wait for more, or failed.
bool PcapngReader::read_byte_order(std::span<const std::uint8_t> header) {
  if (header.size() < kSmallestBlock) return false;
  big_endian_ = load_be<std::uint32_t>(header.data() + 8) == kByteOrderMagic;
  if (big_endian_ || load_le<std::uint32_t>(header.data() + 8) == kByteOrderMagic) return true;
  fail("the section header has no byte-order magic");
  return false;
}

std::optional<PcapngReader::Block> PcapngReader::next_block() {
  const auto rest = std::span<const std::uint8_t>(buffer_).subspan(consumed_);
  if (failed() || rest.size() < kBlockHeader) return std::nullopt;
  const auto type = load<std::uint32_t>(rest, 0);
  if (type == kSectionHeader) {  // a palindrome: the same in both byte orders
    if (!read_byte_order(rest)) return std::nullopt;
  } else if (!section_seen_) {
    fail("this is no pcapng stream");
    return std::nullopt;
  }
  const std::size_t length = load<std::uint32_t>(rest, 4);
  if (length < kSmallestBlock || length % 4 != 0 || length > kMaxBlock) {
    fail(fmt::format("a block of {} bytes", length));
    return std::nullopt;
  }
  if (rest.size() < length) return std::nullopt;
  if (load<std::uint32_t>(rest, length - 4) != length) {
    fail("the two lengths of a block differ");
    return std::nullopt;
  }
  consumed_ += length;
  return Block{type, rest.subspan(kBlockHeader, length - kSmallestBlock)};
}

void PcapngReader::read_section_header(const Block& block) {
  if (block.body.size() < 16) return fail("a section header is too short");
  if (load<std::uint16_t>(block.body, 4) != 1) return fail("the major version is not 1");
  section_seen_ = true;
  interfaces_.clear();
}

void PcapngReader::read_interface(const Block& block) {
  if (block.body.size() < 8) return fail("an interface description is too short");
  if (interfaces_.size() == kMaxInterfaces) return fail("too many interfaces");
  Interface interface;
  interface.properties.link = static_cast<LinkType>(load<std::uint16_t>(block.body, 0));
  interface.properties.snaplen = load<std::uint32_t>(block.body, 4);
  for_each_option(block.body.subspan(8), [&](auto code, auto value) {
    if (code == kOptionInterfaceName) interface.properties.name = text_of(value);
    if (code == kOptionInterfaceDescription) interface.properties.description = text_of(value);
    if (code != kOptionTimeResolution) return;
    if (value.size() != 1 || value[0] > 9) return fail("a time resolution other than 10^-0..10^-9");
    interface.ticks_per_second = 1;
    for (int i = 0; i < value[0]; ++i) interface.ticks_per_second *= 10;
  });
  interfaces_.push_back(std::move(interface));
}

std::chrono::nanoseconds PcapngReader::time_of(const Interface& interface,
                                               std::span<const std::uint8_t> stamp) {
  constexpr std::uint64_t kNanoseconds = 1'000'000'000;
  constexpr std::uint64_t kMaxSeconds = std::numeric_limits<std::int64_t>::max() / kNanoseconds - 1;
  const std::uint64_t ticks =
      std::uint64_t{load<std::uint32_t>(stamp, 0)} << 32 | load<std::uint32_t>(stamp, 4);
  const std::uint64_t seconds = ticks / interface.ticks_per_second;
  if (seconds > kMaxSeconds) {
    fail("a time stamp is out of range");
    return {};
  }
  const std::uint64_t fraction = ticks % interface.ticks_per_second * kNanoseconds;
  return std::chrono::seconds(seconds) +
         std::chrono::nanoseconds(fraction / interface.ticks_per_second);
}

std::optional<PcapngReader::Record> PcapngReader::read_packet(const Block& block) {
  if (block.body.size() < 20) {
    fail("a packet block is too short");
    return std::nullopt;
  }
  Record record;
  record.interface = load<std::uint32_t>(block.body, 0);
  const std::size_t kept = load<std::uint32_t>(block.body, 12);
  if (record.interface >= interfaces_.size())
    fail("a packet of an interface that was not described");
  if (kept > block.body.size() - 20 || padded(kept) > block.body.size() - 20)
    fail("a packet is longer than its block");
  if (failed()) return std::nullopt;
  const Interface& interface = interfaces_[record.interface];
  record.link = interface.properties.link;
  record.time = time_of(interface, block.body.subspan(4, 8));
  record.original_length = load<std::uint32_t>(block.body, 16);
  const auto bytes = block.body.subspan(20, kept);
  record.bytes.assign(bytes.begin(), bytes.end());
  for_each_option(block.body.subspan(20 + padded(kept)), [&](auto code, auto value) {
    if (code == kOptionComment) record.comment = text_of(value);
    if (code == kOptionPacketFlags && value.size() == 4) {
      const auto direction = load<std::uint32_t>(value, 0) & 3;
      record.direction = direction == 3 ? Direction::kUnknown : static_cast<Direction>(direction);
    }
  });
  return record;
}

void PcapngReader::read_statistics(const Block& block) {
  if (block.body.size() < 12) return fail("a statistics block is too short");
  const auto index = load<std::uint32_t>(block.body, 0);
  if (index >= interfaces_.size()) return fail("statistics of an interface that was not described");
  Interface& interface = interfaces_[index];
  for_each_option(block.body.subspan(12), [&](auto code, auto value) {
    if (value.size() != 8) return;
    if (code == kOptionReceived) interface.received = load<std::uint64_t>(value, 0);
    if (code == kOptionDropped) interface.dropped = load<std::uint64_t>(value, 0);
  });
}

}  // namespace vpntun::packet

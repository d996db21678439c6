// Capture files: blocks of the pcapng format (draft-ietf-opsawg-pcapng), little-endian. The data
// plane's capture tap writes them, `vpnctl capture` reads them from the pipe. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vpntun::packet {

enum class LinkType : std::uint16_t {
  kEthernet = 1,
  kRaw = 101,  // begins with the IP header
};

enum class Direction : std::uint8_t { kUnknown = 0, kIn = 1, kOut = 2 };

// What a decryption secrets block has (section 4.7).
enum class SecretsType : std::uint32_t {
  kWireguardKeyLog = 0x57474b4c,  // text, as Wireshark's wg.keylog_file
};

struct PcapngInterface {
  LinkType link = LinkType::kRaw;
  std::string name{};         // may be empty
  std::string description{};  // may be empty
  std::uint32_t snaplen = 0;  // bytes kept of each packet; 0: all
};

struct PcapngPacket {
  std::uint32_t interface = 0;      // in the order in which the interfaces were written, from 0
  std::chrono::nanoseconds time{};  // since 1970-01-01 UTC
  std::span<const std::uint8_t> bytes{};  // what is kept of the packet, or its first part
  std::span<const std::uint8_t> more{};  // its second part: of outer packets the datagram's payload
  std::size_t original_length = 0;       // bytes on the wire
  Direction direction = Direction::kUnknown;
  std::string_view comment{};  // UTF-8; cut at 65535 bytes; empty: none
};

// Each appends one block to out; time stamps count nanoseconds. Nothing but out's growth allocates.
void append_section_header(std::vector<std::uint8_t>& out, std::string_view application);
void append_interface(std::vector<std::uint8_t>& out, const PcapngInterface& interface);
void append_packet(std::vector<std::uint8_t>& out, const PcapngPacket& packet);
// received: packets that came by since the capture began; dropped: of those, not written.
void append_statistics(std::vector<std::uint8_t>& out, std::uint32_t interface,
                       std::chrono::nanoseconds time, std::uint64_t received,
                       std::uint64_t dropped);
// They must stand before the packets that they decrypt.
void append_secrets(std::vector<std::uint8_t>& out, SecretsType type,
                    std::span<const std::uint8_t> secrets);
// Bytes append_packet will append.
std::size_t packet_block_size(const PcapngPacket& packet) noexcept;
// Bytes append_secrets will append.
std::size_t secrets_block_size(std::span<const std::uint8_t> secrets) noexcept;

// Takes a stream in pieces of any size and gives its packets. The writer is not trusted: blocks,
// interfaces and lengths are bounded, and the first violation ends the reading.
class PcapngReader {
 public:
  struct Interface {
    PcapngInterface properties;
    std::uint64_t ticks_per_second = 1'000'000;
    std::uint64_t received = 0;  // by the latest statistics block
    std::uint64_t dropped = 0;
  };
  struct Record {
    std::uint32_t interface = 0;
    LinkType link = LinkType::kRaw;
    std::chrono::nanoseconds time{};
    std::vector<std::uint8_t> bytes;
    std::uint32_t original_length = 0;
    Direction direction = Direction::kUnknown;
    std::string comment;
  };

  static constexpr std::size_t kMaxBlock = std::size_t{256} * 1024;  // bytes
  static constexpr std::size_t kMaxInterfaces = 64;

  void feed(std::span<const std::uint8_t> bytes);
  // The next packet; nothing: feed more, or failed().
  std::optional<Record> next();

  bool failed() const noexcept { return !error_.empty(); }
  // One sentence; empty while all is well.
  const std::string& error() const noexcept { return error_; }
  const std::vector<Interface>& interfaces() const noexcept { return interfaces_; }
  // Bytes fed that belong to no complete block yet; not 0 at the end of a stream: it was cut off.
  std::size_t pending() const noexcept { return buffer_.size() - consumed_; }

 private:
  struct Block {
    std::uint32_t type = 0;
    std::span<const std::uint8_t> body;  // in buffer_, between the two length fields
  };
  template <typename Value>
  Value load(std::span<const std::uint8_t> bytes, std::size_t offset) const noexcept;
  std::optional<Block> next_block();
  bool read_byte_order(std::span<const std::uint8_t> header);
  template <typename Use>
  void for_each_option(std::span<const std::uint8_t> options, Use use);
  void read_section_header(const Block& block);
  void read_interface(const Block& block);
  std::optional<Record> read_packet(const Block& block);
  void read_statistics(const Block& block);
  std::chrono::nanoseconds time_of(const Interface& interface, std::span<const std::uint8_t> stamp);
  void fail(std::string reason);

  std::vector<std::uint8_t> buffer_;
  std::size_t consumed_ = 0;
  bool section_seen_ = false;
  bool big_endian_ = false;
  std::vector<Interface> interfaces_;
  std::string error_;
};

}  // namespace vpntun::packet

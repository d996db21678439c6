// Cuts an IPv4 packet without DF into fragments (RFC 791 3.2), in order. A packet that is a
// fragment itself can be cut further. Called by the data plane for inner packets larger than the
// path. Pure, without allocation:
//   auto fragments = Ipv4Fragments::of(packet, mtu);
//   while (auto piece = fragments->next()) ...
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace vpntun::packet {

class Ipv4Fragments {
 public:
  struct Piece {
    std::span<const std::uint8_t> header;   // lies in the Ipv4Fragments; valid until the next call
    std::span<const std::uint8_t> payload;  // lies in the packet
    std::size_t size() const noexcept { return header.size() + payload.size(); }
  };

  // mtu: bytes a fragment may have. Nothing when packet is no valid IPv4 packet, has DF set, or mtu
  // leaves no room for 8 bytes of payload (68 is always enough). A packet that fits comes out as
  // one piece. packet must outlive the result.
  static std::optional<Ipv4Fragments> of(std::span<const std::uint8_t> packet,
                                         std::size_t mtu) noexcept;

  // The next fragment, or nothing after the last.
  std::optional<Piece> next() noexcept;

 private:
  Ipv4Fragments() noexcept = default;
  void keep_copied_options() noexcept;

  std::array<std::uint8_t, 60> header_{};
  std::size_t header_length_ = 0;
  std::span<const std::uint8_t> rest_;
  std::size_t mtu_ = 0;
  std::size_t offset_ = 0;   // bytes, of the next piece
  bool more_after_ = false;  // the packet itself is a fragment with more behind it
  bool first_ = true;
  bool done_ = false;
};

}  // namespace vpntun::packet

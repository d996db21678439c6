#include "packet/vnet_header.h"

#include <bit>

#include "bytes.h"

namespace vpntun::packet {
namespace {

using Header = std::array<std::uint8_t, kVnetHeader>;

// As linux/virtio_net.h lays it out, integers in this machine's order.
Header header(std::uint8_t flags, std::uint8_t gso_type, std::array<std::uint16_t, 4> words) {
  Header bytes{flags, gso_type};
  for (std::size_t i = 0; i < words.size(); ++i)
    std::copy_n(reinterpret_cast<const std::uint8_t*>(&words[i]), 2, &bytes[2 + 2 * i]);
  return bytes;
}

TEST(VnetHeader, NothingLeftUndoneIsAllZero) {
  Header bytes;
  bytes.fill(0xaa);
  encode_vnet_header({}, bytes);
  EXPECT_EQ(bytes, Header{});
  const auto offload = decode_vnet_header(Header{});
  ASSERT_TRUE(offload);
  EXPECT_EQ(offload->segmentation, Segmentation::kNone);
  EXPECT_FALSE(offload->checksum_missing);
}

TEST(VnetHeader, ASuperpacketAsTheKernelWritesIt) {
  const Header bytes = header(1, 0x81, {66, 1368, 34, 16});
  const auto offload = decode_vnet_header(bytes);
  ASSERT_TRUE(offload);
  EXPECT_EQ(offload->segmentation, Segmentation::kTcp4);
  EXPECT_TRUE(offload->ecn);
  EXPECT_TRUE(offload->checksum_missing);
  EXPECT_EQ(offload->header_length, 66);
  EXPECT_EQ(offload->segment_size, 1368);
  EXPECT_EQ(offload->checksum_start, 34);
  EXPECT_EQ(offload->checksum_offset, 16);
}

TEST(VnetHeader, EveryKindIsReadAsItWasWritten) {
  const std::pair<Segmentation, std::uint8_t> kinds[] = {{Segmentation::kNone, 0},
                                                         {Segmentation::kTcp4, 1},
                                                         {Segmentation::kTcp6, 4},
                                                         {Segmentation::kUdp, 5}};
  for (const auto& [segmentation, number] : kinds)
    for (const bool flag : {false, true}) {
      const Offload offload{.segmentation = segmentation,
                            .segment_size = 0x1234,
                            .ecn = flag,
                            .checksum_missing = !flag,
                            .checksum_start = 0x5678,
                            .checksum_offset = 0x9abc,
                            .header_length = 0xdef0};
      Header bytes{};
      encode_vnet_header(offload, bytes);
      EXPECT_EQ(bytes, header(flag ? 0 : 1, flag ? number | 0x80 : number,
                              {0xdef0, 0x1234, 0x5678, 0x9abc}));
      const auto read = decode_vnet_header(bytes);
      ASSERT_TRUE(read);
      EXPECT_EQ(read->segmentation, segmentation);
      EXPECT_EQ(read->ecn, flag);
      EXPECT_EQ(read->checksum_missing, !flag);
    }
}

// UFO (3) and tunnels (0x20, 0x40) among them.
TEST(VnetHeader, KindsThatNobodyAskedForAreRefused) {
  for (unsigned type = 0; type < 256; ++type) {
    const unsigned kind = type & 0x7f;
    const bool known = kind == 0 || kind == 1 || kind == 4 || kind == 5;
    EXPECT_EQ(decode_vnet_header(header(0, static_cast<std::uint8_t>(type), {})).has_value(), known)
        << type;
  }
}

// "Data is valid" (2) and "receive side coalescing information" (4) say nothing that we need.
TEST(VnetHeader, OtherFlagsAreIgnored) {
  const auto offload = decode_vnet_header(header(0xfe, 0, {}));
  ASSERT_TRUE(offload);
  EXPECT_FALSE(offload->checksum_missing);
}

}  // namespace
}  // namespace vpntun::packet

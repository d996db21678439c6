// QR codes: the same modules as another implementation makes, and how they look in a terminal.
#include "ctl/qr_code.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>

#include "base/error.h"

namespace vpntun::ctl {
namespace {

// FNV-1a of the modules, row by row, of the code that Project Nayuki's "QR Code generator" makes of
// fullest(version) for each version, with the masks that are chosen here.
constexpr std::array<std::uint64_t, 40> kReference{
    0x6e0d7387e5182cdd, 0xd709961260b11489, 0x1771961b66801bfd, 0x414e5e75d33ac56c,
    0xbf9b8b34c0600649, 0x4a257d168917c575, 0x76ab24a5b38a30bf, 0xedbd4f26b015cb10,
    0x0acc137b18929e6d, 0xfe97b78ebe89499e, 0x8c0015b512d4a871, 0xc42763d71cf0974e,
    0xad03ccf00ecdfb7d, 0xee08dbf5d26e40e5, 0x6c1dd4ab0bb05a87, 0xbacfc4aa3736b1e2,
    0xd014817556fa8173, 0x32423af10703cf1b, 0x88f2b5f9dd702c33, 0x109d96ad940c72a1,
    0x5dc20e25ee7af172, 0x8540b96e784a4225, 0x03fcc4f57480e833, 0x8d0104b27d3c8c5d,
    0x36d7d5c03d92d1b7, 0x72b7a68238f4cad0, 0xd1a1751e891e9bb9, 0xf14be7f8e97b41d0,
    0x0fe372c65eca956d, 0xb6dafcffeb34c472, 0xf3c2ea15b79c1862, 0x7dae92b1df87521c,
    0x367937817d80dda8, 0x8d5f6545e73062bd, 0x07133794a044d2ba, 0x6d8dea10d4d25e4b,
    0x1fb8f32dd313750f, 0xd5174ecc9a1db492, 0xb3e2aa10a3a5385c, 0x9a56916cfb5e0693,
};
// The most bytes that a version holds (ISO/IEC 18004, table 7).
constexpr std::array<std::size_t, 40> kMost{
    17,   32,   53,   78,   106,  134,  154,  192,  230,  271,  321,  367,  425,  458,
    520,  586,  644,  718,  792,  858,  929,  1003, 1091, 1171, 1273, 1367, 1465, 1528,
    1628, 1732, 1840, 1952, 2068, 2188, 2303, 2431, 2563, 2699, 2809, 2953};

std::string fullest(std::size_t version) {
  std::string text;
  for (std::size_t i = 0; i < kMost[version - 1]; ++i)
    text += static_cast<char>((i * 7 + version) % 251);
  return text;
}

std::uint64_t hash_of(const QrCode& code) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const bool dark : code.dark) hash = (hash ^ (dark ? 1u : 0u)) * 0x100000001b3;
  return hash;
}

TEST(QrCode, IsWhatAnotherImplementationMakes) {
  for (std::size_t version = 1; version <= 40; version += version < 12 ? 1 : 7) {
    const QrCode code = encode_qr(fullest(version));
    EXPECT_EQ(code.size, version * 4 + 17);
    EXPECT_EQ(hash_of(code), kReference[version - 1]) << "version " << version;
  }
}

TEST(QrCode, TakesTheSmallestVersionThatHoldsTheText) {
  EXPECT_EQ(encode_qr("").size, 21u);
  EXPECT_EQ(encode_qr(fullest(1) + "x").size, 25u);
  EXPECT_EQ(encode_qr(fullest(9) + "x").size, 57u);
}

TEST(QrCode, RefusesMoreThanTheLargestHolds) {
  EXPECT_THROW(encode_qr(fullest(40) + "x"), Error);
}

TEST(QrText, HasTwoRowsALineAndALightBorder) {
  QrCode code;
  code.size = 2;
  code.dark = {true, false, true, true};
  const std::string light = "██████████\n██████████\n";
  EXPECT_EQ(qr_text(code, false), light + "████ ▀████\n" + light);
  EXPECT_EQ(qr_text(code, true).substr(0, 8), "\x1b[97;40m");
}

TEST(QrText, OfAnOddNumberOfRowsEndsWithHalfALine) {
  QrCode code;
  code.size = 1;
  code.dark = {true};
  const std::string light = "█████████\n█████████\n";
  EXPECT_EQ(qr_text(code, false), light + "████▄████\n█████████\n▀▀▀▀▀▀▀▀▀\n");
}

}  // namespace
}  // namespace vpntun::ctl

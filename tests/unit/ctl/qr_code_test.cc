// QR codes, and how they look in a terminal. test_wireguard.py has them read by another program.
#include "ctl/qr_code.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace vpntun::ctl {
namespace {

// A light square inside a dark one, in three corners.
bool has_finder(const QrCode& code, std::size_t row, std::size_t column) {
  for (std::size_t i = 0; i < 7; ++i)
    if (!code.at(row, column + i) || !code.at(row + i, column)) return false;
  return !code.at(row + 1, column + 1) && code.at(row + 3, column + 3);
}

TEST(QrCode, HasTheSizeOfTheSmallestVersionThatHoldsTheText) {
  for (const auto& [bytes, size] :
       {std::pair{1, 21}, {17, 21}, {18, 25}, {230, 53}, {231, 57}, {2953, 177}}) {
    const QrCode code = encode_qr(std::string(static_cast<std::size_t>(bytes), 'x'));
    EXPECT_EQ(code.size, static_cast<std::size_t>(size)) << bytes;
    EXPECT_EQ(code.dark.size(), code.size * code.size);
    EXPECT_TRUE(has_finder(code, 0, 0) && has_finder(code, 0, code.size - 7) &&
                has_finder(code, code.size - 7, 0));
  }
}

TEST(QrCode, RefusesMoreThanTheLargestHoldsAndNothing) {
  EXPECT_THROW(encode_qr(std::string(2954, 'x')), Error);
  EXPECT_THROW(encode_qr(""), Error);
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

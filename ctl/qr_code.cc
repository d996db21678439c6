#include "ctl/qr_code.h"

#include <qrencode.h>

#include <memory>

#include "base/error.h"

namespace vpntun::ctl {
namespace {

struct Freed {
  void operator()(QRcode* code) const noexcept { ::QRcode_free(code); }
};

}  // namespace

QrCode encode_qr(std::string_view bytes) {
  constexpr int kSmallestVersion = 0;  // that holds them
  const std::unique_ptr<QRcode, Freed> made(::QRcode_encodeData(
      static_cast<int>(bytes.size()), reinterpret_cast<const unsigned char*>(bytes.data()),
      kSmallestVersion, QR_ECLEVEL_L));
  if (!made)
    throw Error(ErrorKind::kNotSupported, "a QR code holds 1 to 2953 bytes, and these are {}",
                bytes.size());
  QrCode code;
  code.size = static_cast<std::size_t>(made->width);
  for (std::size_t i = 0; i < code.size * code.size; ++i)
    code.dark.push_back((made->data[i] & 1) != 0);
  return code;
}

std::string qr_text(const QrCode& code, bool colour) {
  constexpr std::size_t kBorder = 4;
  const std::size_t size = code.size + 2 * kBorder;
  const auto light = [&](std::size_t row, std::size_t column) {
    const bool inside = row >= kBorder && column >= kBorder && row < code.size + kBorder &&
                        column < code.size + kBorder;
    return row < size && !(inside && code.at(row - kBorder, column - kBorder));
  };
  std::string text;
  for (std::size_t row = 0; row < size; row += 2) {
    if (colour) text += "\x1b[97;40m";
    for (std::size_t column = 0; column < size; ++column) {
      const bool upper = light(row, column);
      const bool lower = light(row + 1, column);
      text += upper && lower ? "█" : upper ? "▀" : lower ? "▄" : " ";
    }
    if (colour) text += "\x1b[0m";
    text += '\n';
  }
  return text;
}

}  // namespace vpntun::ctl

// A text as a QR code (ISO/IEC 18004, made by libqrencode): byte mode, error correction level L,
// the smallest version that holds it. Called by the verbs with --qr. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace vpntun::ctl {

struct QrCode {
  std::size_t size = 0;    // modules of a side, 21 to 177
  std::vector<bool> dark;  // row by row

  bool at(std::size_t row, std::size_t column) const { return dark[row * size + column]; }
};

// Throws Error for no bytes and for more than 2953.
QrCode encode_qr(std::string_view bytes);
// Two rows of modules a line, with the light border of four modules that scanners need. Light is
// drawn: right on a dark terminal; with colour on any.
std::string qr_text(const QrCode& code, bool colour);

}  // namespace vpntun::ctl

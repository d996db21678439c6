// The frames of `status --watch`. Called by watch.cc and its test.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace vpntun::ctl {

// Text drawn over the frame before it, without flicker: the cursor goes home, every line and the
// screen are cleared behind what is written. rows: of the terminal, to cut what would scroll; 0:
// not known. Pure.
std::string frame_text(std::string_view text, std::size_t rows);

}  // namespace vpntun::ctl

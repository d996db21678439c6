// Arbitrary datagrams against a device with a live session. The input is datagrams, each behind its
// length (two bytes, little endian); between them some time goes by.
#include "wg_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vpntun;
  wg::Target target;
  for (std::span<const std::uint8_t> rest(data, size); rest.size() >= 2;) {
    const std::size_t length =
        std::min<std::size_t>(load_le<std::uint16_t>(rest.data()), rest.size() - 2);
    const auto datagram = rest.subspan(2, length);
    rest = rest.subspan(2 + length);
    target.now += std::chrono::milliseconds(25);
    target.shoot({datagram.begin(), datagram.end()});
  }
  target.check_session();
  return 0;
}

// What workers are told once, before they start.
#pragma once

#include <cstdint>

#include "base/address.h"

namespace vpntun::dataplane {

struct WorkerOptions {
  bool frames = false;                  // TAP: Ethernet frames; else TUN: IP packets
  bool encrypted = false;               // the WireGuard transport; else the plain one
  bool allow_public_plaintext = false;  // plain: send to and learn public endpoints
  std::uint16_t listen_port = 0;        // of the outside port, shown in captures
  IpAddress local;  // own outer address for captures where no better one is known
};

}  // namespace vpntun::dataplane

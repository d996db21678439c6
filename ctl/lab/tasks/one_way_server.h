// The server program as the lab has it in task 4: what comes from the socket goes into the TUN
// interface; from the TUN interface it does not read yet. Callers: task 4. Thread: the stage's,
// from its waiting.
#pragma once

#include <string>

#include "ctl/lab/stage.h"
#include "os/tun.h"
#include "packet/batch.h"

namespace vpntun::lab {

class OneWayServer {
 public:
  // Makes tun0 with 192.168.53.98/24 on the server and listens on UDP port 9090. Throws Error.
  explicit OneWayServer(Stage& stage);
  ~OneWayServer();
  OneWayServer(const OneWayServer&) = delete;
  OneWayServer& operator=(const OneWayServer&) = delete;

  // What it printed: one line for a datagram.
  const std::string& printed() const noexcept { return printed_; }

 private:
  void receive();

  Stage& stage_;
  os::Tun tun_;
  UniqueFd socket_;
  packet::Batch batch_{1};
  std::string printed_;
};

}  // namespace vpntun::lab

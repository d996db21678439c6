// The socket through which wg(8) speaks with a user-space tunnel: /run/wireguard/INTERFACE.sock.
// Only root and our own user are heard. Whoever is connected costs the tunnel a bounded amount of
// memory and time, and can only keep out others who want to connect. Thread: control.
#pragma once

#include <sys/stat.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "service/loop.h"

namespace vpntun::session {

inline constexpr const char* kControlFolder = "/run/wireguard";
inline constexpr std::size_t kMaxControlConnections = 16;  // others wait in the queue
// For the next piece of a request to come, or of its answer to be taken.
inline constexpr Duration kControlPatience = std::chrono::seconds(5);

class ControlSocket {
 public:
  // The answer to one whole request of uapi.h, wiped when it was sent.
  using Answer = std::function<std::string(std::string_view request)>;

  // Makes the folder where it is missing. The file of a process that is gone is replaced. Throws
  // Error kAddressInUse when another process listens there, and what the system refuses.
  ControlSocket(service::Loop& loop, const std::string& interface, Answer answer,
                const std::string& folder = kControlFolder);
  // The file goes, unless it is another's by now.
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

 private:
  class Connection;

  void listen();
  void accept_all();
  bool accept_one();
  void pause();
  void resume();

  service::Loop& loop_;
  const std::string path_;
  const Answer answer_;
  UniqueFd fd_;
  struct stat file_ {};
  std::array<std::unique_ptr<Connection>, kMaxControlConnections> connections_;
  service::EventSource listening_;
  service::EventSource again_;  // accepts again some time after the system refused to
};

}  // namespace vpntun::session

// A TCP connection from one host to V's login service, as telnet would hold it. Callers: tasks 5
// and 6. Thread: the only one.
#pragma once

#include <string>
#include <string_view>

#include "ctl/lab/stage.h"

namespace vpntun::lab {

// What the kernel knows about the connection (TCP_INFO).
struct TcpFacts {
  bool established = false;
  int unacknowledged = 0;        // bytes, sent or not
  unsigned retransmissions = 0;  // in all
  Duration timeout{};            // until the next retransmission
};

class LoginClient {
 public:
  // Connects. Throws Missing when the connection does not come about.
  LoginClient(Stage& stage, Host from, std::string_view to);

  // Reads until the text came. Throws Missing.
  void expect(const std::string& text);
  // "login:", "Password:", until the prompt.
  void log_in(const std::string& name);
  void type_line(const std::string& line);
  const std::string& received();
  TcpFacts facts() const;

 private:
  Stage& stage_;
  UniqueFd fd_;
  std::string received_;
};

}  // namespace vpntun::lab

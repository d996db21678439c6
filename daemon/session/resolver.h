// Looks host names up with getaddrinfo(3), off the control thread, one name at a time. A lookup
// cannot be interrupted, so nobody waits for one: the thread is on its own and its answer is
// dropped when the resolver is gone. Thread: control.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/mailbox.h"
#include "service/loop.h"
#include "session/peer_name.h"

namespace vpntun::session {

class Resolver {
 public:
  // Runs on the lookup's thread.
  using Lookup = std::function<NameAnswer(const std::string& host, std::uint16_t port)>;
  using Answered = std::function<void(std::size_t peer, const NameAnswer& answer)>;

  // peer: whatever ask() was given. answered: called from the loop.
  Resolver(service::Loop& loop, Answered answered, Lookup lookup = system_lookup);

  void ask(std::size_t peer, const std::string& host, std::uint16_t port);
  // Whether a question has not been answered yet.
  bool busy() const noexcept { return !waiting_.empty(); }

  static NameAnswer system_lookup(const std::string& host, std::uint16_t port);

 private:
  struct Question {
    std::size_t peer = 0;
    std::string host;
    std::uint16_t port = 0;
  };

  void look_up_next();
  void take_answers();

  Answered answered_;
  std::shared_ptr<const Lookup> lookup_;
  std::shared_ptr<Mailbox<NameAnswer>> answers_;  // shared with the thread
  std::deque<Question> waiting_;                  // the first is being looked up
  service::EventSource source_;
};

}  // namespace vpntun::session

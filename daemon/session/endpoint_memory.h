// Where learned peers were, for the next session of the tunnel: a text in memory (memfd_create(2))
// that the descriptor store keeps. Rewritten in place whenever one moved. Thread: control.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/unique_fd.h"
#include "dataplane/peer.h"

namespace vpntun::session {

struct LearnedEndpoint {
  std::string peer;
  Endpoint endpoint;
  bool operator==(const LearnedEndpoint&) const = default;
};

// Pure. One line for each, "10.0.2.7:4000 NAME"; a name with a line break is left out. decode()
// takes whatever it is given: lines that are none, and a second one of a peer, are passed over.
std::string encode(const std::vector<LearnedEndpoint>& learned);
std::vector<LearnedEndpoint> decode(std::string_view text);

// Gives peers that learn their endpoint back; a public one only where the profile lets plaintext go
// there, and none that is another peer's by configuration.
void recall(const std::vector<LearnedEndpoint>& learned, bool allow_public,
            std::vector<dataplane::PeerConfig>& peers);

class EndpointMemory {
 public:
  // Throws Error kFailed when there is no memory for it.
  static EndpointMemory create();
  // One of an earlier session. Throws Error kFailed when the descriptor is something else; it stays
  // the caller's then.
  static EndpointMemory adopt(UniqueFd& fd);

  int fd() const noexcept { return fd_.get(); }
  // What it held when it was adopted.
  const std::vector<LearnedEndpoint>& adopted() const noexcept { return adopted_; }
  void write(const std::vector<LearnedEndpoint>& learned) noexcept;

 private:
  explicit EndpointMemory(UniqueFd fd) noexcept : fd_(std::move(fd)) {}

  UniqueFd fd_;
  std::vector<LearnedEndpoint> adopted_;
  std::size_t size_ = 0;  // bytes
};

}  // namespace vpntun::session

// Network namespaces: named ones as `ip netns` keeps them (/run/netns/NAME), anonymous ones, and
// entering one for a scope. Callers: session/, the lab. A namespace belongs to a thread: entering
// affects the calling thread only.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace vpntun::os {

// A reference to a network namespace; it lives at least as long as one of these.
class Netns {
 public:
  // Of the calling thread.
  static Netns current();
  // Errors: kNetworkNamespace (there is none of that name).
  static Netns open(const std::string& name);
  // Creates and names. Errors: kNetworkNamespace (exists), kAccessDenied (CAP_SYS_ADMIN),
  // kInvalidArguments (the name).
  static Netns create(const std::string& name);
  // Where a TUN descriptor's interface is, where a socket is. Errors: kFailed (another kind of
  // descriptor, or the interface was deleted), kAccessDenied (CAP_NET_ADMIN there).
  static Netns of_tun(int fd);
  static Netns of_socket(int fd);
  // Without a name: gone with the last reference, socket or interface owner in it.
  static Netns create_anonymous();

  int fd() const noexcept { return fd_.get(); }
  // Whether both are the same namespace.
  bool operator==(const Netns& other) const;

 private:
  explicit Netns(UniqueFd fd) noexcept : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

// Takes the name away; the namespace ends when nothing uses it. Errors: kNetworkNamespace (none of
// that name).
void remove_netns(const std::string& name);
bool netns_exists(const std::string& name);
std::vector<std::string> list_netns();

// The calling thread is in `netns` while this lives. The destructor goes back; if that is refused
// the program ends, since nothing after it would touch the namespace it believes to be in.
class NetnsScope {
 public:
  explicit NetnsScope(const Netns& netns);
  ~NetnsScope();
  NetnsScope(const NetnsScope&) = delete;
  NetnsScope& operator=(const NetnsScope&) = delete;

 private:
  Netns previous_;
};

}  // namespace vpntun::os

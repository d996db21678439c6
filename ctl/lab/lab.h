// The lab as a whole, seen from outside: bring it up, find it, take it down. Callers: main.
// Thread: the only one.
#pragma once

#include <string>

#include "base/unique_fd.h"
#include "ctl/lab/folder.h"

namespace vpntun::lab {

enum class Bus { kPrivate, kSystem };

// A lab that ends when this is destroyed or this process dies, unless told to stay.
class Lifeline {
 public:
  explicit Lifeline(UniqueFd fd) : fd_(std::move(fd)) {}
  // False: it has ended already.
  bool let_stay();

 private:
  UniqueFd fd_;
};

// Brings a lab up and returns when it is ready. Throws Error: kInProgress (one is up already),
// kAccessDenied (no namespaces allowed), kNotSupported (no /dev/net/tun, no dbus-daemon), kFailed.
Lifeline start_lab(const Folder& folder, Bus bus);
// Ends the lab and waits until nothing of it is left. False: there was none.
bool stop_lab(const Folder& folder);

}  // namespace vpntun::lab

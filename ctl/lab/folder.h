// The lab's runtime folder: where its bus socket, profiles, log and state lie, and the lock on it
// that says whether a lab is up. The lock is held by the guardian and the keeper, so it falls with
// them. Callers: lab, main. Thread: any.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/unique_fd.h"

namespace vpntun::lab {

// What a running lab wrote about itself. Pids as seen from outside the lab.
struct LabState {
  pid_t guardian = 0;
  pid_t keeper = 0;
  std::string bus;  // D-Bus address
};

class Folder {
 public:
  // $VPNTUN_LAB_FOLDER, else /run/vpntun-lab (root), $XDG_RUNTIME_DIR/vpntun-lab,
  // /tmp/vpntun-lab-UID.
  Folder();
  explicit Folder(std::string path) : path_(std::move(path)) {}

  const std::string& path() const noexcept { return path_; }
  std::string bus_socket() const { return path_ + "/bus"; }
  std::string profiles() const { return path_ + "/profiles"; }
  std::string runtime() const { return path_ + "/run"; }
  std::string log() const { return path_ + "/log"; }

  // Creates the folder, empty and ours alone, and locks it; waits for a lab that is coming up or
  // going down. nullopt: a lab is up (or has not settled in a long time).
  // Throws Error kAccessDenied when the path is not a folder of ours.
  std::optional<UniqueFd> create_and_lock() const;
  // The state of the lab that is up; nullopt: none is (or it is only just coming up).
  std::optional<LabState> running() const;
  bool locked() const;
  void write_state(const LabState& state) const;
  // Removes the folder and all in it, if it is there.
  void remove() const noexcept;

 private:
  std::string path_;
};

// Throws Error when it cannot be written.
void write_file(const std::string& path, const std::string& text);
// Empty when it cannot be read.
std::string read_file(const std::string& path);

}  // namespace vpntun::lab

// A program run by the lab: started in a network namespace, its output read, its end waited for.
// Every child dies with the thread that started it (PR_SET_PDEATHSIG). Callers: keeper, stage.
// Thread: one at a time.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "base/unique_fd.h"

namespace vpntun::lab {

struct Program {
  std::vector<std::string> arguments;              // [0] is looked up in $PATH
  std::map<std::string, std::string> environment;  // added to ours
  int netns = -1;         // fd of the network namespace to run in; -1: ours
  int output = -1;        // stdout and stderr; -1: ours
  int input = -1;         // stdin; -1: /dev/null
  std::vector<int> keep;  // descriptors that stay open in it
  bool alone = false;     // in a PID namespace of its own: all that it started ends with it
};

class Child {
 public:
  Child() = default;
  // Throws Error kFailed when the program cannot be run ("run ping: No such file or directory").
  static Child start(const Program& program);
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, 0)), status_(other.status_) {}
  Child& operator=(Child&& other) noexcept;
  ~Child() { kill_and_wait(); }

  pid_t pid() const noexcept { return pid_; }
  void signal(int signal_number) noexcept;
  // The status as waitpid gives it, once it has ended.
  std::optional<int> poll() noexcept;
  // Waits until it has ended.
  int wait() noexcept;
  // SIGTERM, then SIGKILL when it has not ended after `patience`.
  void stop(Duration patience) noexcept;

 private:
  void kill_and_wait() noexcept;

  pid_t pid_ = 0;  // 0: none, or ended
  std::optional<int> status_;
};

// A pipe, both ends close-on-exec.
struct Pipe {
  UniqueFd read;
  UniqueFd write;
  static Pipe make();
};

// Exit code as a shell would give it: the status, or 128 + signal.
int exit_code_of(int status) noexcept;
// The path of a program of ours: beside this one (the build tree), from libexec/vpntun in sbin or
// bin, else its bare name for $PATH.
std::string program_path(const std::string& name);
// Whether a program can be run: an executable at that path, or found in $PATH.
bool program_exists(const std::string& program);

}  // namespace vpntun::lab

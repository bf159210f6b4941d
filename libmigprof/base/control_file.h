// SPDX-License-Identifier: Apache-2.0
// How one process of a user tells another to start, stop or flush its recording: files in a private folder. The one
// who asks leaves PID.command; the recorder takes it away, obeys, and says so in PID.state.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "libmigprof/base/error.h"

namespace migprof {

// kGiveWay is said inside of a process only, and has no name.
enum class ControlVerb : uint8_t { kStart, kStop, kFlush, kGiveWay };

// "start", "stop", "flush".
const char* ControlVerbName(ControlVerb verb);
std::optional<ControlVerb> ParseControlVerb(const std::string& name);

struct ControlCommand {
  ControlVerb verb = ControlVerb::kFlush;
  uint64_t ticket = 0;  // names the request in the answer
};

// What a process says of itself.
struct ControlState {
  bool recording = false;
  uint64_t ticket = 0;     // of the last request that was obeyed; 0: none was
  bool succeeded = false;  // in obeying it
};

// The folder of user `user`: `chosen`, unless that is empty.
std::string ControlFolder(const std::string& chosen, uid_t user);

// The files of one process. Paths are absolute. Any one thread.
class ControlFiles {
 public:
  // `pid` as the process itself sees it.
  ControlFiles(std::string folder, pid_t pid);

  // The recorder's side. Makes the folder if it is not there, and says that the process listens. Fails when the folder
  // is not the user's own, or open to others.
  Error Announce(const ControlState& state);
  // Takes the command that waits, if there is one. Only a plain file is obeyed that belongs to the process's user, that
  // nobody else may write, and that no link leads to. One system call when there is nothing.
  std::optional<ControlCommand> Take();
  Error WriteState(const ControlState& state);
  // Removes what Announce made.
  void Retire();

  // The side of the one who asks. `owner`: of the process; root hands the file over.
  Error Ask(const ControlCommand& command, uid_t owner);
  // Takes a command back that nobody has taken.
  void Withdraw();
  std::optional<ControlState> ReadState() const;

 private:
  Error Replace(const std::string& path, const std::string& text, std::optional<uid_t> owner) const;

  std::string folder_;
  std::string command_path_;
  std::string state_path_;
};

}  // namespace migprof

// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/base/control_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace migprof {
namespace {

constexpr size_t kMostBytes = 128;
constexpr const char* kVerbs[] = {"start", "stop", "flush"};

// The text of a small plain file that belongs to `owner` and that nobody else may write; nothing when it is anything
// else. Does not follow links and does not wait for the other end of a pipe.
std::optional<std::string> ReadOwnFile(const std::string& path, uid_t owner) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  struct stat status;
  char text[kMostBytes];
  ssize_t bytes = -1;
  // No link is left where another file has taken its place since it was opened.
  if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == owner && status.st_nlink <= 1 &&
      (status.st_mode & 022) == 0 && status.st_size <= static_cast<off_t>(kMostBytes)) {
    bytes = read(descriptor, text, sizeof(text));
  }
  close(descriptor);
  if (bytes < 0) return std::nullopt;
  return std::string(text, static_cast<size_t>(bytes));
}

}  // namespace

const char* ControlVerbName(ControlVerb verb) { return kVerbs[static_cast<size_t>(verb)]; }

std::optional<ControlVerb> ParseControlVerb(const std::string& name) {
  for (size_t i = 0; i < std::size(kVerbs); ++i) {
    if (name == kVerbs[i]) return static_cast<ControlVerb>(i);
  }
  return std::nullopt;
}

std::string ControlFolder(const std::string& chosen, uid_t user) {
  return chosen.empty() ? "/tmp/migprof-" + std::to_string(user) : chosen;
}

ControlFiles::ControlFiles(std::string folder, pid_t pid)
    : folder_(std::move(folder)),
      command_path_(folder_ + "/" + std::to_string(pid) + ".command"),
      state_path_(folder_ + "/" + std::to_string(pid) + ".state") {}

Error ControlFiles::Announce(const ControlState& state) {
  if (mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) return {"the control folder cannot be created", errno};
  struct stat status;
  if (lstat(folder_.c_str(), &status) != 0) return {"the control folder cannot be examined", errno};
  if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 077) != 0) {
    return {"the control folder is not a private folder of this user", 0};
  }
  unlink(command_path_.c_str());  // meant for an earlier process with this number
  return WriteState(state);
}

std::optional<ControlCommand> ControlFiles::Take() {
  if (access(command_path_.c_str(), F_OK) != 0) return std::nullopt;
  const std::optional<std::string> text = ReadOwnFile(command_path_, geteuid());
  unlink(command_path_.c_str());  // whatever it is: it is not looked at twice
  if (!text) return std::nullopt;
  const size_t space = text->find(' ');
  if (space == std::string::npos) return std::nullopt;
  const std::optional<ControlVerb> verb = ParseControlVerb(text->substr(0, space));
  if (!verb) return std::nullopt;
  return ControlCommand{*verb, std::strtoull(text->c_str() + space, nullptr, 10)};
}

Error ControlFiles::WriteState(const ControlState& state) {
  return Replace(state_path_,
                 std::string(state.recording ? "recording " : "stopped ") + std::to_string(state.ticket) +
                     (state.succeeded ? " done\n" : " failed\n"),
                 std::nullopt);
}

void ControlFiles::Retire() {
  unlink(state_path_.c_str());
  unlink(command_path_.c_str());
}

Error ControlFiles::Ask(const ControlCommand& command, uid_t owner) {
  return Replace(command_path_,
                 std::string(ControlVerbName(command.verb)) + ' ' + std::to_string(command.ticket) + '\n', owner);
}

void ControlFiles::Withdraw() { unlink(command_path_.c_str()); }

std::optional<ControlState> ControlFiles::ReadState() const {
  struct stat status;
  if (lstat(folder_.c_str(), &status) != 0) return std::nullopt;
  const std::optional<std::string> text = ReadOwnFile(state_path_, status.st_uid);
  char word[16];
  char result[16];
  unsigned long long ticket = 0;
  if (!text || std::sscanf(text->c_str(), "%15s %llu %15s", word, &ticket, result) != 3) return std::nullopt;
  return ControlState{std::strcmp(word, "recording") == 0, ticket, std::strcmp(result, "done") == 0};
}

// A reader sees all of it or nothing.
Error ControlFiles::Replace(const std::string& path, const std::string& text, std::optional<uid_t> owner) const {
  const std::string fresh = path + "." + std::to_string(getpid());
  unlink(fresh.c_str());
  const int descriptor = open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (descriptor < 0) return {"a control file cannot be created", errno};
  bool written = write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (owner && *owner != geteuid()) written &= fchown(descriptor, *owner, static_cast<gid_t>(-1)) == 0;
  int error = written ? 0 : errno;
  close(descriptor);
  if (error == 0 && rename(fresh.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return Error::None();
  unlink(fresh.c_str());
  return {"a control file cannot be written", error};
}

}  // namespace migprof

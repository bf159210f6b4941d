// SPDX-License-Identifier: Apache-2.0
// The files by which a process is asked to start, stop or flush, with anything in them.
#include <unistd.h>

#include <cstdint>
#include <string>

#include "libmigprof/base/control_file.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/scratch.h"

namespace {

using namespace migprof;

constexpr pid_t kPid = 77;
constexpr size_t kMostBytes = 128;  // of a control file

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

void TakeAnything(ControlFiles* files, const std::string& path, std::string_view content, bool others_may_write) {
  WriteScratch(path, content, others_may_write ? 0622 : 0600);
  const auto command = files->Take();
  Check(!Exists(path), "a command is looked at once, whatever it is");
  Check(!files->Take(), "and obeyed once");
  if (!command) return;
  Check(!others_may_write && content.size() <= kMostBytes, "what others could have written is not obeyed");
  Check(content.starts_with(std::string(ControlVerbName(command->verb)) + ' '),
        "a command is what the file begins with");
}

void ReadAnything(const ControlFiles& files, const std::string& path, std::string_view content) {
  WriteScratch(path, content);
  const auto state = files.ReadState();
  Check(Exists(path), "reading a state leaves it there");
  const auto again = files.ReadState();
  Check(state.has_value() == again.has_value(), "a state always reads alike");
  if (!state) return;
  Check(content.size() <= kMostBytes, "a long file is no state");
  Check(state->recording == again->recording && state->ticket == again->ticket && state->succeeded == again->succeeded,
        "a state always reads alike");
  Check(!state->recording || content.find("recording") != std::string_view::npos, "who says so is recording");
}

void RoundTrips(ControlFiles* files, FuzzInput* input) {
  const ControlState state{.recording = input->Bool(), .ticket = input->Number<uint64_t>(), .succeeded = input->Bool()};
  Check(files->WriteState(state).ok(), "a state can be written");
  const auto read = files->ReadState();
  Check(
      read && read->recording == state.recording && read->ticket == state.ticket && read->succeeded == state.succeeded,
      "a state is read as it was written");
  const ControlCommand command{static_cast<ControlVerb>(input->Byte() % 3), input->Number<uint64_t>()};
  Check(files->Ask(command, geteuid()).ok(), "a command can be given");
  const auto taken = files->Take();
  Check(taken && taken->verb == command.verb && taken->ticket == command.ticket, "a command arrives as it was given");
  Check(ParseControlVerb(ControlVerbName(command.verb)) == command.verb, "a verb has one name");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string folder = ScratchFolder() + "/control";
  static ControlFiles files(folder, kPid);
  static const bool kAnnounced = files.Announce({}).ok();
  Check(kAnnounced, "a private folder is taken");
  const std::string stem = folder + "/" + std::to_string(kPid);
  FuzzInput input(data, size);
  const bool others_may_write = input.Byte() % 8 == 7;
  RoundTrips(&files, &input);
  const std::string_view content = FuzzInput(data, size).Rest().substr(std::min<size_t>(1, size));
  TakeAnything(&files, stem + ".command", content, others_may_write);
  ReadAnything(files, stem + ".state", content);
  return 0;
}

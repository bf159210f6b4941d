// SPDX-License-Identifier: Apache-2.0
// A full screen in the terminal, which is given back as it was.
#pragma once

#include <string>
#include <vector>

namespace migprof::tools {

// While one lives the terminal shows its alternate screen, and keys come without Enter. Its end restores the terminal,
// and so does a signal that kills the process, except SIGKILL. One at a time.
class TerminalScreen {
 public:
  TerminalScreen();
  TerminalScreen(const TerminalScreen&) = delete;
  TerminalScreen& operator=(const TerminalScreen&) = delete;
  ~TerminalScreen();

  void Enter();
  void Leave();

  // Replaces all that is shown. Lines that are too many are left out; none may be wider than the terminal.
  void Show(const std::vector<std::string>& lines, size_t height);
};

struct ScreenSize {
  size_t width = 80;
  size_t height = 24;
};
ScreenSize TerminalSize();

// Whether both stdin and stdout are terminals that can show a screen.
bool CanShowScreen();

}  // namespace migprof::tools

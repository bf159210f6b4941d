// SPDX-License-Identifier: Apache-2.0
#include "tools/terminal_screen.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string_view>

namespace migprof::tools {
namespace {

constexpr std::string_view kEnter = "\033[?1049h\033[?25l";
constexpr std::string_view kLeave = "\033[?25h\033[?1049l";
constexpr int kDeadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGQUIT};

std::atomic<bool> g_shown{false};
termios g_before;
bool g_has_before = false;

void WriteAll(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

// Only what may be called in a signal handler.
void Restore() {
  if (!g_shown.exchange(false)) return;
  WriteAll(kLeave);
  if (g_has_before) tcsetattr(STDIN_FILENO, TCSANOW, &g_before);
}

// The handler is gone after its first call (SA_RESETHAND), so that the signal ends the process as it would have.
void OnDeadlySignal(int signal) {
  Restore();
  raise(signal);
}

}  // namespace

TerminalScreen::TerminalScreen() {
  g_has_before = tcgetattr(STDIN_FILENO, &g_before) == 0;
  struct sigaction action {};
  action.sa_handler = OnDeadlySignal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int signal : kDeadly) sigaction(signal, &action, nullptr);
  Enter();
}

TerminalScreen::~TerminalScreen() { Leave(); }

void TerminalScreen::Enter() {
  if (g_shown.exchange(true)) return;
  if (g_has_before) {
    termios raw = g_before;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  WriteAll(kEnter);
}

void TerminalScreen::Leave() { Restore(); }

void TerminalScreen::Show(const std::vector<std::string>& lines, size_t height) {
  // Drawn over what was there, not after clearing it: no flicker.
  std::string text = "\033[H";
  for (size_t i = 0; i < lines.size() && i < height; ++i) {
    if (i != 0) text += "\r\n";
    text += lines[i] + "\033[K";
  }
  WriteAll(text + "\033[J");
}

ScreenSize TerminalSize() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

bool CanShowScreen() {
  const char* terminal = std::getenv("TERM");
  return isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0 && terminal != nullptr &&
         std::string_view(terminal) != "dumb";
}

}  // namespace migprof::tools

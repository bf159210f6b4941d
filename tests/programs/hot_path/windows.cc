// SPDX-License-Identifier: Apache-2.0
#include "tests/programs/hot_path/windows.h"

#include <link.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace hot_path {
namespace {

constexpr const char* kKindNames[kKinds] = {"call", "context", "buffer_requested", "buffer_completed", "range"};

// What happened in windows of one kind, before and after the thread's first event was over.
struct Tally {
  const char* what;
  long number;
  Kind kind;
  bool first;
  uint64_t count;
  uint64_t caller;  // offset in libmigprof.so, of the first time; 0: none was found
};

struct Thread {
  static constexpr int kMostTallies = 128;

  long id;
  bool sees_system_calls;
  bool is_over[kKinds];  // the first event
  uint64_t windows[kKinds];
  int tallies;
  Tally tally[kMostTallies];
};

constexpr int kMostThreads = 512;
Thread g_threads[kMostThreads];
std::atomic<int> g_thread_count{0};
const pid_t g_process = getpid();

// All in the initial TLS block, so that touching it does nothing else.
#define THREAD_LOCAL __attribute__((tls_model("initial-exec"))) thread_local
THREAD_LOCAL Thread* t_thread = nullptr;
THREAD_LOCAL bool t_inside = false;
THREAD_LOCAL Kind t_kind = kCall;
THREAD_LOCAL const void* t_top = nullptr;  // of the stack, where the window was opened
THREAD_LOCAL char t_selector = 0;

uint64_t g_low = 0, g_high = 0;  // of libmigprof.so

int FindMigprof(dl_phdr_info* module, size_t, void*) {
  if (std::strstr(module->dlpi_name, "libmigprof.so") == nullptr) return 0;
  for (int i = 0; i < module->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = module->dlpi_phdr[i];
    if (segment.p_type == PT_LOAD) g_high = module->dlpi_addr + segment.p_vaddr + segment.p_memsz;
  }
  g_low = module->dlpi_addr;
  return 1;
}

Thread* Mine() {
  if (t_thread != nullptr) return t_thread;
  const int index = g_thread_count.fetch_add(1);
  if (index >= kMostThreads) {
    std::fputs("hot_path: too many threads\n", stderr);
    std::abort();
  }
  t_thread = &g_threads[index];
  t_thread->id = syscall(SYS_gettid);
  t_thread->is_over[kContext] = t_thread->is_over[kBufferCompleted] = true;
  t_thread->sees_system_calls = WatchSystemCalls(&t_selector);
  if (g_low == 0) dl_iterate_phdr(&FindMigprof, nullptr);
  return t_thread;
}

uint64_t CallerInMigprof(const void* stack) {
  for (auto word = static_cast<const uint64_t*>(stack); word < t_top; ++word) {
    if (*word >= g_low && *word < g_high) return *word - g_low;
  }
  return 0;
}

void Write(FILE* file, const Thread& thread) {
  std::fprintf(file, "{\"tid\": %ld, \"is_main\": %s, \"sees_system_calls\": %s, \"windows\": {", thread.id,
               thread.id == g_process ? "true" : "false", thread.sees_system_calls ? "true" : "false");
  for (int kind = 0; kind < kKinds; ++kind) {
    std::fprintf(file, "%s\"%s\": %lu", kind != 0 ? ", " : "", kKindNames[kind], thread.windows[kind]);
  }
  std::fprintf(file, "}, \"happened\": [");
  for (int i = 0; i < thread.tallies; ++i) {
    const Tally& tally = thread.tally[i];
    std::fprintf(file,
                 "%s{\"kind\": \"%s\", \"first\": %s, \"what\": \"%s\", \"number\": %ld, \"count\": %lu, "
                 "\"caller\": \"0x%lx\"}",
                 i != 0 ? ", " : "", kKindNames[tally.kind], tally.first ? "true" : "false", tally.what, tally.number,
                 tally.count, tally.caller);
  }
  std::fprintf(file, "]}\n");
}

// One line of JSON per thread into the file named by HOT_PATH_REPORT.
__attribute__((destructor)) void WriteReport() {
  const char* const path = std::getenv("HOT_PATH_REPORT");
  FILE* const file = path != nullptr && getpid() == g_process ? std::fopen(path, "we") : nullptr;
  if (file == nullptr) return;
  for (int i = 0; i < g_thread_count.load(); ++i) Write(file, g_threads[i]);
  std::fclose(file);
}

}  // namespace

void Open(Kind kind) {
  ++Mine()->windows[kind];
  t_kind = kind;
  t_top = __builtin_frame_address(0);
  t_inside = true;
  t_selector = 1;
}

void Close(bool ends_call) {
  t_selector = 0;
  t_inside = false;
  if (ends_call || t_kind == kRange) t_thread->is_over[t_kind] = true;
}

void Note(const char* what, const void* stack, long number) {
  if (!t_inside) return;
  // A thread's first buffer is asked for in its first call.
  const bool first = !t_thread->is_over[t_kind == kBufferRequested ? kCall : t_kind];
  for (int i = 0; i < t_thread->tallies; ++i) {
    Tally& tally = t_thread->tally[i];
    if (std::strcmp(tally.what, what) == 0 && tally.number == number && tally.kind == t_kind && tally.first == first) {
      ++tally.count;
      return;
    }
  }
  if (t_thread->tallies == Thread::kMostTallies) return;  // more than enough to fail any test
  t_thread->tally[t_thread->tallies++] = {what, number, t_kind, first, 1, CallerInMigprof(stack)};
}

}  // namespace hot_path

// For the program.
extern "C" __attribute__((visibility("default"))) void hot_path_open_range() { hot_path::Open(hot_path::kRange); }
extern "C" __attribute__((visibility("default"))) void hot_path_close() { hot_path::Close(false); }

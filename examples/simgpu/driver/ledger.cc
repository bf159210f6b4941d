// SPDX-License-Identifier: Apache-2.0
#include "driver/ledger.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "base/complain.h"

namespace simgpu::driver {
namespace {

constexpr size_t kBlockBytes = 16 * 1024;  // some 60 lines: one system call for all of them

void AppendNumber(std::string* line, uint64_t number) {
  char digits[20];
  const std::to_chars_result result = std::to_chars(digits, digits + sizeof(digits), number);
  line->append(digits, result.ptr);
}

void AppendMember(std::string* line, std::string_view key, uint64_t number) {
  *line += ",\"";
  *line += key;
  *line += "\":";
  AppendNumber(line, number);
}

void AppendString(std::string* line, std::string_view text) {
  *line += '"';
  for (const char character : text) {
    if (character == '"' || character == '\\') *line += '\\';
    *line += static_cast<unsigned char>(character) < 0x20 ? ' ' : character;
  }
  *line += '"';
}

void AppendShape(std::string* line, const KernelWork& kernel) {
  const auto product = [](const uint32_t(&sizes)[3]) { return uint64_t{sizes[0]} * sizes[1] * sizes[2]; };
  AppendMember(line, "grid_blocks", product(kernel.grid));
  AppendMember(line, "block_threads", product(kernel.block));
  AppendMember(line, "cluster_blocks", product(kernel.cluster));
  AppendMember(line, "registers", kernel.registers_per_thread);
  AppendMember(line, "shared_bytes", uint64_t{kernel.static_shared_bytes} + kernel.dynamic_shared_bytes);
}

std::string_view KindName(WorkKind kind) {
  switch (kind) {
    case WorkKind::kKernel:
      return "kernel";
    case WorkKind::kMemcpy:
      return "memcpy";
    case WorkKind::kMemset:
      return "memset";
  }
  return "";
}

bool IsSet(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && std::strcmp(value, "1") == 0;
}

Ledger* Open() {
  const char* path = std::getenv("SIMGPU_LEDGER");
  if (path == nullptr || *path == '\0') return nullptr;
  // Mapping needs read access as well; a pipe or terminal may refuse it.
  int file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const bool can_map = file >= 0;
  if (!can_map) file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) {
    Complain("SIMGPU_LEDGER %s: %s", path, std::strerror(errno));
    return nullptr;
  }
  return new Ledger(file, !can_map || IsSet("SIMGPU_LEDGER_SYNC"), IsSet("SIMGPU_LEDGER_DETAIL"));
}

}  // namespace

Ledger* Ledger::ForProcess() {
  static Ledger* const ledger = Open();  // for the life of the process
  return ledger;
}

void Ledger::StartLine(std::string_view slice, std::string_view kind, std::string_view name) {
  line_.clear();
  line_ += "{\"slice\":";
  AppendString(&line_, slice);
  AppendMember(&line_, "pid", static_cast<uint64_t>(getpid()));
  line_ += ",\"kind\":\"";
  line_ += kind;
  line_ += "\",\"name\":";
  AppendString(&line_, name);
}

void Ledger::Append(std::string_view slice, const Work& work) {
  const std::lock_guard lock(mutex_);
  StartLine(slice, KindName(work.kind), work.name);
  AppendMember(&line_, "start_ns", work.start_ns);
  AppendMember(&line_, "end_ns", work.end_ns);
  AppendMember(&line_, "correlation_id", work.correlation_id);
  AppendMember(&line_, "stream", work.stream_id);
  AppendMember(&line_, "bytes", work.bytes);
  AppendMember(&line_, "graph_node_id", work.graph_node_id);
  if (details_) {
    AppendMember(&line_, "queued_ns", work.queued_ns);
    if (work.kind == WorkKind::kKernel) AppendShape(&line_, work.kernel);
  }
  line_ += '}';
  WriteLine(line_);
}

void Ledger::AppendMemory(std::string_view slice, const MemoryOperation& operation) {
  if (!details_) return;
  const std::lock_guard lock(mutex_);
  line_.clear();
  line_ += "{\"slice\":";
  AppendString(&line_, slice);
  AppendMember(&line_, "pid", static_cast<uint64_t>(getpid()));
  line_ += operation.release ? ",\"kind\":\"free\"" : ",\"kind\":\"alloc\"";
  AppendMember(&line_, "time_ns", operation.time_ns);
  AppendMember(&line_, "correlation_id", operation.correlation_id);
  AppendMember(&line_, "address", operation.address);
  AppendMember(&line_, "bytes", operation.bytes);
  AppendMember(&line_, "memory_kind", operation.memory_kind);
  line_ += '}';
  WriteLine(line_);
}

void Ledger::AppendCall(std::string_view slice, const LedgerCall& call) {
  const std::lock_guard lock(mutex_);
  StartLine(slice, "call", call.name);
  AppendMember(&line_, "start_ns", call.start_ns);
  AppendMember(&line_, "end_ns", call.end_ns);
  AppendMember(&line_, "correlation_id", call.correlation_id);
  AppendMember(&line_, "thread", call.thread);
  line_ += '}';
  WriteLine(line_);
}

void Ledger::WriteLine(std::string_view line) {
  if (next_ != nullptr && next_ + 1 + line.size() <= block_end_) {
    // In this order a process killed here leaves one incomplete last line, and no other damaged.
    *next_ = '\n';
    std::atomic_signal_fence(std::memory_order_seq_cst);
    std::memcpy(next_ + 1, line.data(), line.size());
    next_ += 1 + line.size();
    return;
  }
  if (!write_through_ && line.size() < kBlockBytes) return StartBlock(line);
  line_ += '\n';
  Write(line_);
}

void Ledger::StartBlock(std::string_view line) {
  if (mapping_ != nullptr) munmap(mapping_, mapping_bytes_);
  mapping_ = next_ = block_end_ = nullptr;

  std::string block(kBlockBytes, ' ');
  block.replace(0, line.size(), line);
  block.back() = '\n';
  Write(block);
  // The position after an appending write is the end of what it wrote, whoever else appends.
  const off_t end = lseek(file_, 0, SEEK_CUR);
  const off_t page = sysconf(_SC_PAGESIZE);
  if (end < static_cast<off_t>(kBlockBytes)) {
    write_through_ = true;
    return;
  }
  const off_t start = end - static_cast<off_t>(kBlockBytes);
  const off_t mapped_from = start / page * page;
  mapping_bytes_ = static_cast<size_t>(end - mapped_from);
  void* const mapping = mmap(nullptr, mapping_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file_, mapped_from);
  if (mapping == MAP_FAILED) {
    write_through_ = true;
    return;
  }
  mapping_ = static_cast<char*>(mapping);
  next_ = mapping_ + (start - mapped_from) + line.size();
  block_end_ = mapping_ + mapping_bytes_ - 1;
}

void Ledger::Write(std::string_view bytes) {
  ssize_t written;
  do {
    written = write(file_, bytes.data(), bytes.size());
  } while (written < 0 && errno == EINTR);
  if (written != static_cast<ssize_t>(bytes.size())) {
    static std::atomic<bool> said{false};
    if (!said.exchange(true))
      Complain("the ledger is incomplete: %s", written < 0 ? std::strerror(errno) : "short write");
  }
}

}  // namespace simgpu::driver

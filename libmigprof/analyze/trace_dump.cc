// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/trace_dump.h"

#include <algorithm>
#include <ostream>
#include <span>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "libmigprof/analyze/file_budget.h"
#include "libmigprof/analyze/file_source.h"
#include "libmigprof/analyze/trace_definitions.h"
#include "libmigprof/analyze/trace_dump_columns.h"
#include "libmigprof/format/chunk_reader.h"

namespace migprof::analyze {
namespace {

using format::Chunk;
using format::ChunkKind;
namespace column = format::column;

std::string Quoted(absl::string_view text) { return absl::StrCat("\"", absl::CHexEscape(text), "\""); }

// A file of some kilobytes can claim to be gigabytes of text. Honest ones become up to some 2400 times as long.
constexpr uint64_t kLeastText = uint64_t{16} << 20;
constexpr uint64_t kTextPerByte = 4096;
constexpr char kTooMuchText[] = "more text than files of this size are; --all prints the rest";

uint64_t MostText(const DumpOptions& options, uint64_t file_bytes) {
  if (options.all || file_bytes > UINT64_MAX / kTextPerByte) return UINT64_MAX;
  return std::max(kLeastText, file_bytes * kTextPerByte);
}

class Dumper : public format::DamageReporter {
 public:
  Dumper(const DumpOptions& options, uint64_t file_bytes, std::ostream& out)
      : out_(out), file_bytes_(file_bytes), text_left_(MostText(options, file_bytes)), budget_(file_bytes) {}

  bool is_budget_spent() const { return budget_.is_spent(); }
  bool is_full() const { return is_full_; }

  // Of a dump that is full: what was not printed.
  void NoteRest(const format::ChunkRef& ref) {
    out_ << "stopped offset=" << ref.offset << " rows_left=" << rows_left_
         << " bytes_behind=" << file_bytes_ - std::min(file_bytes_, ref.offset + ref.total_bytes())
         << " reason=" << Quoted(kTooMuchText) << "\n";
  }

  void OnDamage(uint64_t offset, uint64_t bytes, const char* reason) override {
    was_damaged_ = true;
    out_ << "damage offset=" << offset << " bytes=" << bytes << " reason=" << Quoted(reason) << "\n";
  }

  // Says if chunks are missing before this one where nothing is damaged.
  void NoteSequence(const format::ChunkRef& ref) {
    const uint32_t sequence = ref.header.sequence;
    if (sequence > next_sequence_ && !was_damaged_) {
      out_ << "missing offset=" << ref.offset << " chunks=" << sequence - next_sequence_ << "\n";
    }
    next_sequence_ = sequence + 1;
    was_damaged_ = false;
  }

  void DumpChunkLine(const format::ChunkRef& ref) {
    const format::ChunkHeader& header = ref.header;
    out_ << "chunk offset=" << ref.offset << " kind=" << KindName(ref.kind()) << " sequence=" << header.sequence
         << " rows=" << header.row_count << " columns=" << header.column_count << " stored=" << header.stored_bytes
         << " raw=" << header.raw_bytes << " first=" << header.first_ns << " last=" << header.last_ns
         << " lost=" << header.lost << "\n";
  }

  // False when the chunk makes no sense.
  bool DumpRows(const Chunk& chunk) {
    if (!definitions_.Add(chunk)) return false;
    switch (chunk.kind()) {
      case ChunkKind::kProcess:
      case ChunkKind::kSlice:
        return DumpNamedValues(chunk, false);
      case ChunkKind::kCounters:
      case ChunkKind::kTrailer:
        return DumpNamedValues(chunk, true);
      case ChunkKind::kStrings:
        return DumpStrings(chunk);
      default:
        break;
    }
    for (const RecordStyle& style : RecordStyles()) {
      if (style.kind == chunk.kind()) return DumpTable(chunk, style);
    }
    out_ << "unknown kind=" << chunk.header().kind << " rows=" << chunk.rows() << "\n";
    return true;
  }

 private:
  // False when that is too much; then `rows_left` of the chunk are not printed, nor anything behind them.
  bool Print(const std::string& line, size_t rows_left) {
    if (line.size() <= text_left_) {
      text_left_ -= line.size();
      out_ << line;
      return true;
    }
    is_full_ = true;
    rows_left_ = rows_left;
    return false;
  }

  bool DumpNamedValues(const Chunk& chunk, bool numbers) {
    namespace kv = column::key_value;
    std::vector<uint64_t> keys, texts, values;
    if (!chunk.Column(kv::kKeyLength, &keys) || !chunk.Column(kv::kTextLength, &texts) ||
        !chunk.Column(kv::kNumber, &values)) {
      return false;
    }
    std::string_view bytes = chunk.Bytes(kv::kBytes);
    for (size_t row = 0; row < keys.size(); ++row) {
      if (keys[row] > bytes.size() || texts[row] > bytes.size() - keys[row]) return false;
      const std::string key = absl::CHexEscape({bytes.data(), keys[row]});
      const std::string value = numbers ? absl::StrCat(values[row]) : Quoted({bytes.data() + keys[row], texts[row]});
      if (!Print(absl::StrCat(KindName(chunk.kind()), " ", key, "=", value, "\n"), keys.size() - row)) return true;
      bytes.remove_prefix(keys[row] + texts[row]);
    }
    return true;
  }

  bool DumpStrings(const Chunk& chunk) {
    std::vector<uint64_t> ids;
    if (!chunk.Column(column::strings::kId, &ids)) return false;
    for (size_t row = 0; row < ids.size(); ++row) {
      const std::string text = Quoted(definitions_.String(ids[row]));
      if (!Print(absl::StrCat("string id=", ids[row], " text=", text, "\n"), ids.size() - row)) return true;
    }
    return true;
  }

  bool DumpTable(const Chunk& chunk, const RecordStyle& style) {
    std::vector<std::vector<uint64_t>> values(style.columns.size());
    for (size_t i = 0; i < values.size(); ++i) {
      if (!chunk.Column(style.columns[i].id, &values[i])) return false;
    }
    std::string line;
    for (uint32_t row = 0; row < chunk.rows(); ++row) {
      line = style.name;
      for (size_t i = 0; i < values.size(); ++i) {
        absl::StrAppend(&line, " ", style.columns[i].name, "=", Format(values[i][row], style.columns[i].style));
      }
      line += '\n';
      if (!Print(line, chunk.rows() - row)) return true;
    }
    return true;
  }

  std::string Format(uint64_t value, Style style) const {
    switch (style) {
      case Style::kDecimal:
        return absl::StrCat(value);
      case Style::kHexadecimal:
        return absl::StrCat("0x", absl::Hex(value));
      case Style::kString:
        return Quoted(definitions_.String(value));
      case Style::kKernel:
        return Quoted(definitions_.String(definitions_.KernelName(value)));
    }
    return "";
  }

  std::ostream& out_;
  uint64_t file_bytes_;
  uint64_t text_left_;
  bool is_full_ = false;
  size_t rows_left_ = 0;
  FileBudget budget_;
  TraceDefinitions definitions_{&budget_};
  uint32_t next_sequence_ = 0;
  bool was_damaged_ = false;
};

}  // namespace

absl::Status DumpTrace(const std::string& path, const DumpOptions& options, std::ostream& out) {
  auto source = OpenTraceFile(path);
  if (!source.ok()) return source.status();
  if ((*source)->size() == 0) return absl::DataLossError("the file is empty");
  const uint64_t size = (*source)->size();
  Dumper dumper(options, size, out);
  RowBudget rows(size);
  format::ChunkReader reader(source->get(), &dumper);
  format::ChunkRef ref;
  Chunk chunk;
  bool any = false;
  format::ChunkReader::Status status;
  while ((status = reader.Next(&ref)) == format::ChunkReader::Status::kChunk) {
    any = true;
    dumper.NoteSequence(ref);
    if (!options.chunks_only && !rows.Take(ref.header)) {
      dumper.OnDamage(ref.offset, size - ref.offset, kTooManyRows);
      break;
    }
    if (options.chunks_only) {
      dumper.DumpChunkLine(ref);
    } else if (reader.ReadPayload(ref, &chunk) && !dumper.DumpRows(chunk)) {
      if (dumper.is_budget_spent()) {
        dumper.OnDamage(ref.offset, size - ref.offset, kTooManyDefinitions);
        break;
      }
      reader.ReportBadContent(ref, "the chunk's columns do not fit together");
    }
    if (dumper.is_full()) {
      dumper.NoteRest(ref);
      break;
    }
  }
  if (status == format::ChunkReader::Status::kUnknownVersion) {
    return absl::UnimplementedError(absl::StrCat("trace format version ", reader.unknown_major(),
                                                 "; this migprof reads version ", format::kMajorVersion));
  }
  return any ? absl::OkStatus() : absl::InvalidArgumentError("not a migprof trace");
}

}  // namespace migprof::analyze

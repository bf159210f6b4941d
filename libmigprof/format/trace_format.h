// SPDX-License-Identifier: Apache-2.0
// The vocabulary of a *.migtrace file: constants and structs, nothing else. docs/trace-format.md is the authority and
// explains each; change both, the version, the golden files and CHANGELOG.md together.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace migprof::format {

inline constexpr std::array<uint8_t, 8> kChunkMagic = {0x89, 'M', 'I', 'G', 'P', 0x0d, 0x0a, 0x1a};
inline constexpr uint16_t kMajorVersion = 1;
inline constexpr uint16_t kMinorVersion = 1;
inline constexpr char kFileSuffix[] = ".migtrace";

// What a reader accepts before it allocates anything; a writer stays far below.
inline constexpr uint32_t kMaxColumns = 64;
inline constexpr uint32_t kMaxRows = 1u << 22;
inline constexpr uint32_t kMaxPayloadBytes = 64u << 20;

enum class ChunkKind : uint16_t {
  // Definitions. Each is written before the first event that refers to it, in the same file.
  kProcess = 1,
  kSlice = 2,
  kStrings = 3,
  kModules = 4,
  kFrames = 5,
  kFrameNames = 6,
  kStackNodes = 7,
  kKernelShapes = 8,
  kThreads = 9,
  kPythonCode = 10,
  kPythonFrames = 11,
  kPythonStackNodes = 12,
  kRangeNodes = 13,
  // Events.
  kCalls = 16,
  kCallOutcomes = 17,
  kKernels = 18,
  kTransfers = 19,
  kAllocations = 20,
  kSynchronizations = 21,
  kGraphNodes = 22,
  kGraphRuns = 23,
  kCounterSamples = 24,
  kPauses = 25,
  // Bookkeeping.
  kClockSamples = 32,
  kCounters = 33,
  kTrailer = 34,
  kRotated = 35,
};

// All integers little-endian. Followed by `column_count` ColumnEntry, then `stored_bytes` of payload (one zstd frame
// with its own content checksum). `magic`, `kind`, `major` and their offsets are the same in every version there will
// ever be.
struct ChunkHeader {
  std::array<uint8_t, 8> magic;
  uint16_t kind;
  uint16_t major;
  uint16_t minor;
  uint16_t column_count;
  uint32_t sequence;  // 0, 1, 2, … within the file
  uint32_t row_count;
  uint32_t raw_bytes;     // payload when decompressed
  uint32_t stored_bytes;  // payload as stored
  uint64_t first_ns;      // smallest and largest time in the chunk; 0, 0 for definitions
  uint64_t last_ns;
  uint64_t lost;          // events of this kind known lost since the previous chunk of this kind
  uint32_t header_bytes;  // this struct and the directory
  uint32_t reserved;      // 0
  uint64_t checksum;      // XXH3-64 of this struct with checksum = 0, and of the directory
};
static_assert(sizeof(ChunkHeader) == 72);
static_assert(offsetof(ChunkHeader, kind) == 8 && offsetof(ChunkHeader, major) == 10);

// How the values of a column became bytes.
enum class ColumnEncoding : uint8_t {
  kPlain = 0,  // the value itself
  kDelta = 1,  // zig-zag of the difference to the previous row, the first to 0, modulo 2^64
  kBytes = 2,  // not integers: an opaque byte string
};

// One column of a chunk. Integers are stored as `rows` values of `width` bytes (0, 1, 2, 4 or 8), byte-shuffled: all
// lowest bytes, then all second bytes, and so on. A value too wide is stored as the largest `width`-byte number, and
// the value itself follows, in row order, among `escape_count` 8-byte integers after the shuffled bytes. Width 0 means
// every value is 0.
struct ColumnEntry {
  uint16_t id;
  ColumnEncoding encoding;
  uint8_t width;
  uint32_t escape_count;
  uint32_t offset;  // in the decompressed payload
  uint32_t bytes;
};
static_assert(sizeof(ColumnEntry) == 16);

// Column ids, by chunk kind. Ids are never reused; a column that is absent reads as zeros.
namespace column {

// kProcess, kSlice, kCounters, kTrailer: rows of key and value; kCounters and kTrailer use kNumber, the others kText.
namespace key_value {
inline constexpr uint16_t kKeyLength = 1, kTextLength = 2, kNumber = 3, kBytes = 4;  // kBytes: key, text, key, text, …
}
namespace strings {
inline constexpr uint16_t kId = 1, kLength = 2, kBytes = 3;
}
namespace modules {
inline constexpr uint16_t kId = 1, kPath = 2, kBuildId = 3, kBias = 4, kStart = 5, kEnd = 6, kRole = 7;
}
namespace frames {
inline constexpr uint16_t kId = 1, kAddress = 2, kModule = 3;
}
namespace frame_names {
inline constexpr uint16_t kFrame = 1, kName = 2, kOffset = 3;
}
namespace stack_nodes {
inline constexpr uint16_t kId = 1, kParent = 2, kFrame = 3;
}
namespace kernel_shapes {
inline constexpr uint16_t kId = 1, kName = 2, kGridX = 3, kGridY = 4, kGridZ = 5, kBlockX = 6, kBlockY = 7, kBlockZ = 8,
                          kRegisters = 9, kStaticShared = 10, kDynamicShared = 11, kLocalPerThread = 12, kClusterX = 13,
                          kClusterY = 14, kClusterZ = 15;
}
namespace threads {
inline constexpr uint16_t kId = 1, kSystemId = 2, kName = 3;
}
namespace python_code {
inline constexpr uint16_t kId = 1, kName = 2, kFile = 3, kFirstLine = 4;
}
namespace python_frames {
inline constexpr uint16_t kId = 1, kCode = 2, kLine = 3, kFlags = 4;
}
namespace python_stack_nodes {
inline constexpr uint16_t kId = 1, kParent = 2, kFrame = 3;
}
namespace calls {
inline constexpr uint16_t kCorrelation = 1, kTime = 2, kThread = 3, kStackNode = 4, kApi = 5, kClass = 6, kFlags = 7,
                          kPythonStackNode = 8, kRangeNode = 9, kStandsFor = 10;
}
namespace range_nodes {
inline constexpr uint16_t kId = 1, kParent = 2, kName = 3, kDomain = 4, kFlags = 5;
}
namespace call_outcomes {
inline constexpr uint16_t kCorrelation = 1, kOutcome = 2, kDetail = 3;
}
namespace kernels {
inline constexpr uint16_t kCorrelation = 1, kStart = 2, kDuration = 3, kShape = 4, kStream = 5, kContext = 6,
                          kGraph = 7, kGraphNode = 8, kFlags = 9;
}
namespace transfers {
inline constexpr uint16_t kCorrelation = 1, kStart = 2, kDuration = 3, kBytes = 4, kWhat = 5, kStream = 6, kContext = 7,
                          kGraph = 8, kGraphNode = 9, kFlags = 10;
}
namespace allocations {
inline constexpr uint16_t kCorrelation = 1, kTime = 2, kAddress = 3, kBytes = 4, kOperation = 5, kMemory = 6,
                          kStream = 7, kContext = 8, kFlags = 9;
}
namespace synchronizations {
inline constexpr uint16_t kCorrelation = 1, kStart = 2, kDuration = 3, kWhat = 4, kStream = 5, kContext = 6;
}
namespace graph_nodes {
inline constexpr uint16_t kNode = 1, kTime = 2, kEvent = 3, kOrigin = 4, kCorrelation = 5, kCount = 6, kFlags = 7;
}
namespace graph_runs {
inline constexpr uint16_t kCorrelation = 1, kStart = 2, kDuration = 3, kGraph = 4, kStream = 5, kContext = 6,
                          kFlags = 7;
}
namespace counter_samples {
inline constexpr uint16_t kTime = 1, kCounter = 2, kValue = 3, kFlags = 4, kSpan = 5;
}
namespace pauses {
inline constexpr uint16_t kStopped = 1, kStarted = 2, kLastBefore = 3, kFirstAfter = 4;
}
namespace clock_samples {
inline constexpr uint16_t kCupti = 1, kRealtime = 2, kMonotonic = 3;
}
namespace rotated {
inline constexpr uint16_t kFirstSegment = 1, kLastSegment = 2, kSegments = 3, kBytes = 4, kFirst = 5, kLast = 6,
                          kLaunches = 7, kOtherCalls = 8, kKernels = 9, kTransfers = 10, kGraphRuns = 11,
                          kAllocations = 12, kSynchronizations = 13, kLost = 14, kLastCorrelation = 15;
}

}  // namespace column

// column::modules::kRole
enum class ModuleRole : uint8_t { kOrdinary = 0, kProfiler = 1 };

// column::calls::kClass: what a CUDA API call is for. The first four give the GPU work, so activity is to be expected.
enum class CallClass : uint8_t {
  kKernelLaunch = 1,
  kGraphLaunch = 2,
  kMemcpy = 3,
  kMemset = 4,
  kAllocate = 5,
  kRelease = 6,
  kSynchronize = 7,
  kGraphConstruction = 8,
  kLoad = 9,  // of code: modules, libraries, functions
};
constexpr bool GivesWork(CallClass call_class) { return call_class <= CallClass::kMemset; }

// column::calls::kFlags
inline constexpr uint64_t kCallStackTruncated = 1;   // the outermost frames are missing
inline constexpr uint64_t kCallStackMissing = 2;     // the stack was lost or not asked for
inline constexpr uint64_t kCallStackSampledOut = 8;  // left out on purpose: the stacks of other calls stand for it
inline constexpr uint64_t kCallPythonLost = 4;       // the thread was inside Python, but those frames were lost
inline constexpr uint64_t kCallCarried = 16;         // made in an earlier segment: told again for what follows

// column::graph_nodes::kFlags and column::allocations::kFlags
inline constexpr uint64_t kRowCarried = 1;  // of an earlier segment, and still so when this one began: told again

// column::python_frames::kFlags
inline constexpr uint64_t kPythonFrameEntry = 1;  // the outermost Python frame of one run of the evaluation loop

// column::range_nodes::kFlags
inline constexpr uint64_t kRangeStarted = 1;  // started and ended, perhaps by another thread; else pushed and popped

// Calls that may keep their thread for long; when they returned is recorded (CallOutcome::kReturned).
constexpr bool MayBlock(CallClass call_class) {
  return call_class == CallClass::kMemcpy || call_class == CallClass::kAllocate || call_class == CallClass::kRelease ||
         call_class == CallClass::kSynchronize || call_class == CallClass::kLoad;
}

// column::call_outcomes::kOutcome. The first two will have no GPU activity of their own.
enum class CallOutcome : uint8_t {
  kFailed = 1,    // the call returned the error in kDetail
  kCaptured = 2,  // the call was recorded into a graph as the node in kDetail
  kReturned = 3,  // the call returned kDetail ns after its entry; of calls that MayBlock
};

// column::allocations::kMemory: CUPTI's memory kinds, of which 1 and 2 are the host's. Those of old CUPTIs that do not
// say are the device's as far as anybody knows.
constexpr bool IsDeviceMemory(uint64_t memory_kind) { return memory_kind != 1 && memory_kind != 2; }

// column::graph_nodes::kEvent: what happened to a node of a CUDA graph.
enum class GraphNodeEvent : uint8_t {
  kCreated = 1,  // by the call in kCorrelation: captured, or added explicitly
  kCloned = 2,   // it is a copy of the node in kOrigin
  kRemoved = 3,  // its id may come again for another node
  kUpdated = 4,  // it does what the node in kOrigin does from now on
};
// column::graph_nodes::kCount: a row stands for this many nodes with ids, and origins if any, that follow each other.
// No honest row stands for more.
inline constexpr uint64_t kMaxGraphNodesPerRow = 1u << 20;

// column::kernels::kFlags, column::transfers::kFlags and column::graph_runs::kFlags
inline constexpr uint64_t kActivityUntimed = 1;  // CUPTI gave no usable times; start and duration are 0

// column::transfers::kWhat: CUPTI's copy kind (1 host to device, 2 device to host, … 8 device to device, 10 peer to
// peer), or kMemset.
inline constexpr uint64_t kMemset = 64;

// column::counter_samples::kFlags
inline constexpr uint64_t kCounterRefused = 1;     // there is no value: NVML refused, with the error in kValue
inline constexpr uint64_t kCounterNotANumber = 2;  // NVML said NaN, or something negative or beyond all bounds
inline constexpr uint64_t kCounterStale = 4;       // NVML said the same as of the interval before: nothing new

// column::allocations::kOperation
enum class AllocationOperation : uint8_t { kAllocate = 1, kRelease = 2 };

}  // namespace migprof::format

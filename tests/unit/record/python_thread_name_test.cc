// SPDX-License-Identifier: Apache-2.0
// Names in memory made by hand in the form of several versions; whole interpreters are in tests/integration.
#include "libmigprof/record/python_thread_name.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "libmigprof/record/python_memory.h"

namespace migprof::record {
namespace {

constexpr uint64_t kCodeType = 0x5550;
constexpr uint64_t kTextType = 0x7770;
constexpr uint64_t kHeapType = 1 << 9;
constexpr uint64_t kManagedDict = 1 << 4;
constexpr uint64_t kInlineValues = 1 << 2;

uint64_t g_state = 0;

PythonLayout LayoutOf(uint32_t version) {
  if (const PythonLayout* const known = FindPythonLayout(version)) return *known;
  PythonLayout layout = *FindPythonLayout(0x30c);  // 3.13, as it states itself
  layout.version = 0x30d;
  layout.thread_frame = 72;
  layout.cframe_frame = kNoOffset;
  layout.instance_dict = InstanceDict::kInline;
  return layout;
}

// A thread inside of `threading`, from its state to the characters of its name.
class PythonThreadNameTest : public testing::TestWithParam<uint32_t> {
 protected:
  void SetUp() override {
    if (process_vm_readv(getpid(), nullptr, 0, nullptr, 0, 0) != 0 && errno == ENOSYS)
      GTEST_SKIP() << "names are read by process_vm_readv, which an emulator of user programs does not have";
    layout_ = LayoutOf(GetParam());
    reader_.layout = layout_;
    reader_.code_type = kCodeType;
    reader_.this_thread = [] { return reinterpret_cast<void*>(g_state); };
    type_ = Object(1000);
    Set<uint64_t>(type_, 168, kHeapType | (IsPointer() ? 0 : kManagedDict));
    Set<int64_t>(type_, 288, 16);
    thread_ = Object(400) + 64;
    Set(thread_, 8, type_);
    const bool qualified = GetParam() >= 0x30b;
    frame_ = Frame(Code(qualified ? "Thread._bootstrap" : "_bootstrap", "/usr/lib/python3/threading.py"), 0);
    Set(frame_, layout_.frame_locals, thread_);
    g_state = Object(400);
    Enter(Frame(Code("work", "train.py"), frame_));
  }

  bool IsPointer() const { return layout_.instance_dict == InstanceDict::kPointer; }

  uint64_t Object(size_t bytes) {
    const auto start = reinterpret_cast<uint64_t>(memory_.emplace_back(bytes / 8 + 4, uint64_t{0}).data());
    return (start + 15) & ~uint64_t{15};
  }
  template <typename T>
  static void Set(uint64_t object, uint64_t offset, T value) {
    std::memcpy(reinterpret_cast<void*>(object + offset), &value, sizeof(value));
  }

  template <typename Character>
  void FillText(uint64_t object, const std::basic_string<Character>& text, bool is_ascii) {
    Set<uint64_t>(object, 0, 3);
    Set<uint64_t>(object, 8, kTextType);
    Set<uint64_t>(object, layout_.text_length, text.size());
    Set<uint32_t>(object, layout_.text_state,
                  static_cast<uint32_t>(sizeof(Character) | 1u << 3 | (is_ascii ? 1u << 4 : 0)) << 2);
    std::memcpy(reinterpret_cast<void*>(object + (is_ascii ? layout_.text_ascii : layout_.text_compact)), text.data(),
                text.size() * sizeof(Character));
  }
  template <typename Character>
  uint64_t Text(const std::basic_string<Character>& text, bool is_ascii) {
    const uint64_t object = Object(80 + text.size() * sizeof(Character));
    FillText(object, text, is_ascii);
    return object;
  }
  uint64_t Text(const std::string& text) { return Text(text, true); }

  uint64_t Code(const std::string& name, const std::string& file) {
    const uint64_t code = Object(400);
    Set(code, 8, kCodeType);
    Set(code, layout_.code_name, Text(name));
    Set(code, layout_.code_file, Text(file));
    return code;
  }
  uint64_t Frame(uint64_t code, uint64_t previous) {
    const uint64_t frame = Object(500);
    Set(frame, layout_.frame_code, code);
    Set(frame, layout_.frame_previous, previous);
    return frame;
  }
  void Enter(uint64_t frame) {
    uint64_t holder = g_state;
    uint32_t offset = layout_.thread_frame;
    if (layout_.cframe_frame != kNoOffset) {
      const uint64_t cframe = Object(32);
      Set(g_state, offset, cframe);
      holder = cframe;
      offset = layout_.cframe_frame;
    }
    Set(holder, offset, frame);
  }

  // Keys with room for 8, with the values of them beside them unless `split`. `values` gets the places of the values.
  uint64_t Keys(const std::vector<uint64_t>& names, bool split, std::vector<uint64_t>* values) {
    const uint64_t keys = keys_ = Object(400);
    const bool old = IsPointer();
    const uint64_t entries = keys + (old ? 40 : 32) + 8;
    if (old) {
      Set<uint64_t>(keys, 8, 8);
      Set<uint64_t>(keys, 32, names.size());
    } else {
      Set<uint64_t>(keys, 8, 3 | 3 << 8 | (split ? 2 : 1) << 16);
      Set<uint64_t>(keys, 24, names.size());
    }
    const uint64_t entry_bytes = old ? 24 : 16;
    for (size_t i = 0; i < names.size(); ++i) {
      const uint64_t key = entries + i * entry_bytes + entry_bytes - 16;
      Set(key, 0, names[i]);
      if (values != nullptr) values->push_back(key + 8);
    }
    return keys;
  }

  // Gives the thread `text` as its name, and remembers where.
  void NameInItsOwnDict(uint64_t text) {
    std::vector<uint64_t> places;
    const uint64_t dict = dict_ = Object(64);
    Set(dict, 32, Keys({Text("_target"), Text("_args"), Text("_name")}, false, &places));
    name_place_ = places[2];
    Set(name_place_, 0, text);
    Set(thread_, IsPointer() ? 16 : uint64_t(-24), dict);
  }
  void NameWhereItsClassHasIt(uint64_t text) {
    const uint64_t keys = Keys({Text("_target"), Text("_name")}, true, nullptr);
    if (IsPointer()) {
      const uint64_t dict = dict_ = Object(64);
      const uint64_t values = Object(64);
      Set(dict, 32, keys);
      Set(dict, 40, values);
      Set(thread_, 16, dict);
      name_place_ = values + 8;
    } else {
      Set(type_, layout_.type_cached_keys, keys);
      const uint64_t values = Object(64);
      name_place_ = values + 8;
      if (layout_.instance_dict == InstanceDict::kValuesBefore) Set(thread_, uint64_t(-32), values);
      if (layout_.instance_dict == InstanceDict::kTagged) Set(thread_, uint64_t(-24), values - 1);
      if (layout_.instance_dict == InstanceDict::kInline) {
        Set<uint64_t>(type_, 168, kHeapType | kManagedDict | kInlineValues);
        Set<uint32_t>(thread_, 16, 30 | 2 << 8 | 1 << 16 | 1u << 24);
        name_place_ = thread_ + 24 + 8;
      }
    }
    Set(name_place_, 0, text);
  }

  // Words that lead from the Thread object to its name, and some that do not.
  std::vector<uint64_t*> Pointers() const {
    const auto word = [](uint64_t address) { return reinterpret_cast<uint64_t*>(address); };
    std::vector<uint64_t*> pointers = {word(thread_ + 8), word(name_place_), word(name_place_ - 8)};
    for (const uint64_t before : {32, 24}) pointers.push_back(word(thread_ - before));
    pointers.push_back(word(thread_ + 16));
    for (const uint32_t offset : {32u, 168u, 288u, 872u, 880u}) pointers.push_back(word(type_ + offset));
    if (keys_ != 0) {
      for (const uint32_t offset : {0u, 8u, 24u, 32u, 40u, 48u, 56u, 64u}) pointers.push_back(word(keys_ + offset));
    }
    if (dict_ != 0) {
      for (const uint32_t offset : {32u, 40u}) pointers.push_back(word(dict_ + offset));
    }
    return pointers;
  }

  std::string Read() {
    char name[kMostThreadNameBytes];
    return {name, ReadPythonThreadName(reader_, &scratch_, name)};
  }

  PythonLayout layout_;
  PythonReader reader_;
  PythonNameScratch scratch_;
  std::deque<std::vector<uint64_t>> memory_;
  uint64_t type_ = 0, thread_ = 0, frame_ = 0, name_place_ = 0, keys_ = 0, dict_ = 0;
};

TEST_P(PythonThreadNameTest, IsFoundWhereverAttributesAre) {
  NameInItsOwnDict(Text("own"));
  EXPECT_EQ(Read(), "own");
  NameWhereItsClassHasIt(Text("shared"));
  EXPECT_EQ(Read(), "shared");
}

TEST_P(PythonThreadNameTest, EveryKindOfText_BecomesUtf8_AndEndsAfterSixtyFourCharacters) {
  NameWhereItsClassHasIt(
      Text<char>("gr\xf6\xdf"
                 "er",
                 false));
  EXPECT_EQ(Read(), "größer");
  NameWhereItsClassHasIt(Text<char16_t>(u"файл", false));
  EXPECT_EQ(Read(), "файл");
  NameWhereItsClassHasIt(Text<char32_t>(std::u32string(100, U'\U0001f600'), false));
  std::string faces;
  for (int i = 0; i < 64; ++i) faces += "😀";
  EXPECT_EQ(Read(), faces);
  NameWhereItsClassHasIt(Text(std::string(5000, 'n')));
  EXPECT_EQ(Read(), std::string(64, 'n'));
}

TEST_P(PythonThreadNameTest, ThreadsThatThreadingDidNotStart_HaveNone) {
  NameWhereItsClassHasIt(Text("worker"));
  ASSERT_EQ(Read(), "worker");
  Set(frame_, layout_.frame_code, Code("main", "threading.py"));
  EXPECT_EQ(Read(), "");
  Set(frame_, layout_.frame_code, Code(GetParam() >= 0x30b ? "Thread._bootstrap" : "_bootstrap", "other.py"));
  EXPECT_EQ(Read(), "");
  Enter(0);
  EXPECT_EQ(Read(), "");
  g_state = 0;
  EXPECT_EQ(Read(), "");
}

// Whatever is in the place of a pointer, there is no name, no crash, and no other thread's memory is needed to know.
TEST_P(PythonThreadNameTest, BrokenPointers_GiveNoName) {
  void* const nothing = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const auto forbidden = reinterpret_cast<uint64_t>(nothing);
  const uint64_t zeros = Object(4096);
  const uint64_t ones = Object(4096);
  std::memset(reinterpret_cast<void*>(ones), 0xff, 4096);
  const uint64_t name = Text("worker");
  for (const bool shared : {false, true}) {
    const auto whole = [&] {
      shared ? NameWhereItsClassHasIt(name) : NameInItsOwnDict(name);
      return Read();
    };
    ASSERT_EQ(whole(), "worker");
    errno = 77;
    for (const uint64_t wrong : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}, forbidden, zeros, ones, name + 4}) {
      for (uint64_t* const place : Pointers()) {
        const uint64_t right = *place;
        *place = wrong;
        const std::string read = Read();
        EXPECT_TRUE(read.empty() || read == "worker") << std::hex << wrong << ": " << read;
        *place = right;
      }
    }
    EXPECT_EQ(errno, 77);
    EXPECT_EQ(whole(), "worker");
  }
  Set<uint64_t>(name, 0, 0);
  EXPECT_EQ(Read(), "") << "nobody has a reference to it";
  Set<uint64_t>(name, 0, 1);
  Set<uint64_t>(name, layout_.text_length, uint64_t{1} << 40);
  EXPECT_EQ(Read(), "");
  Set<uint64_t>(name, layout_.text_length, 6);
  Set<uint64_t>(name, 8, kTextType + 16);
  EXPECT_EQ(Read(), "") << "no str";
  munmap(nothing, 4096);
}

// Another thread writes other names all the time, with rubbish in their memory in between: what is read was once a
// name.
TEST_P(PythonThreadNameTest, NamesThatChange_AreNeverMixed) {
  const uint64_t places[2] = {Text(std::string(40, 'a')), Text(std::string(40, 'b'))};
  NameWhereItsClassHasIt(places[0]);
  std::atomic<bool> stop{false};
  std::thread changing([&] {
    uint64_t round = 0;
    while (!stop.load(std::memory_order_relaxed)) {
      const uint64_t next = places[++round % 2];
      const uint64_t before = places[(round + 1) % 2];
      FillText(next, std::string(40, static_cast<char>('a' + round % 26)), true);
      reinterpret_cast<std::atomic<uint64_t>*>(name_place_)->store(next);
      FillText(before, std::string(40, '#'), true);
      // Now and then a pause, so that something can be read at all.
      if (round % 4096 == 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  });
  int read = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::string name = Read();
    if (name.empty()) continue;
    ++read;
    EXPECT_EQ(name, std::string(40, name[0]));
    EXPECT_NE(name[0], '#');
  }
  stop = true;
  changing.join();
  EXPECT_GT(read, 0);
}

INSTANTIATE_TEST_SUITE_P(Versions, PythonThreadNameTest, testing::Values(0x308, 0x309, 0x30a, 0x30b, 0x30c, 0x30d));

}  // namespace
}  // namespace migprof::record

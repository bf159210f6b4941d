// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/python_memory.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace migprof::record {
namespace {

const PythonLayout& Layout312() { return *FindPythonLayout(0x30c); }

// A compact str of 3.12: `state_shift` is where its kind begins.
template <typename Character>
std::vector<uint64_t> Text(const std::basic_string<Character>& characters, bool is_ascii, uint32_t state_shift = 2) {
  std::vector<uint64_t> object(8 + characters.size() * sizeof(Character) / 8 + 1);
  auto* const bytes = reinterpret_cast<uint8_t*>(object.data());
  object[2] = characters.size();
  const uint32_t state =
      static_cast<uint32_t>(sizeof(Character) | 1u << 3 | (is_ascii ? 1u << 4 : 0)) << state_shift | 1;
  std::memcpy(bytes + 32, &state, sizeof(state));
  std::memcpy(bytes + (is_ascii ? 40 : 56), characters.data(), characters.size() * sizeof(Character));
  return object;
}

std::string Copy(const std::vector<uint64_t>& object, size_t capacity = 100) {
  std::string out(capacity, '\0');
  const size_t bytes = CopyPythonText(Layout312(), reinterpret_cast<uint64_t>(object.data()), out.data(), capacity);
  if (bytes == kUnreadable) return "unreadable";
  out.resize(bytes);
  return out;
}

TEST(CopyPythonText, EveryKind_BecomesUtf8) {
  EXPECT_EQ(Copy(Text<char>("train.py", true)), "train.py");
  EXPECT_EQ(Copy(Text<char>("gr\xf6\xdf"
                            "e",
                            false)),
            "größe");
  EXPECT_EQ(Copy(Text<char16_t>(u"файл", false)), "файл");
  EXPECT_EQ(Copy(Text<char32_t>(U"λ \U0001f600", false)), "λ 😀");
  EXPECT_EQ(Copy(Text<char>("", true)), "");
}

// The str that an instance of a subclass is: its characters are elsewhere.
template <typename Character>
std::vector<uint64_t> SubclassText(const std::basic_string<Character>& characters, bool is_ascii,
                                   uint32_t state_shift = 2) {
  std::vector<uint64_t> object(10);
  object[2] = characters.size();
  const uint32_t state = static_cast<uint32_t>(sizeof(Character) | (is_ascii ? 1u << 4 : 0)) << state_shift;
  std::memcpy(reinterpret_cast<uint8_t*>(object.data()) + 32, &state, sizeof(state));
  object[7] = reinterpret_cast<uint64_t>(characters.data());
  return object;
}

TEST(CopyPythonText, InstanceOfASubclass_IsReadWhereItsCharactersAre) {
  alignas(16) static const std::string ascii(40, 'a');
  static const std::u16string cyrillic = u"файл с длинным именем";
  static const std::u32string smileys(20, U'\U0001f600');
  EXPECT_EQ(Copy(SubclassText(ascii, true)), ascii);
  EXPECT_EQ(Copy(SubclassText(cyrillic, false)), "файл с длинным именем");
  EXPECT_EQ(Copy(SubclassText(smileys, false), 8), "😀😀");
  EXPECT_EQ(Copy(SubclassText(ascii, true, 8)), ascii);
  EXPECT_EQ(Copy(SubclassText(cyrillic, false, 16)), "файл с длинным именем");
  std::vector<uint64_t> nowhere = SubclassText(ascii, true);
  nowhere[7] = 8;
  EXPECT_EQ(Copy(nowhere), "unreadable");
}

TEST(CopyPythonText, LengthThatNoNameHas_IsNotBelieved) {
  for (const uint64_t length : {uint64_t{1} << 17, uint64_t{1} << 26, uint64_t{1} << 27, UINT64_MAX}) {
    std::vector<uint64_t> object = Text<char>("x", true);
    object[2] = length;
    EXPECT_EQ(Copy(object), "unreadable") << length;
  }
}

TEST(CopyPythonText, StateOfFreeThreadedBuilds_IsUnderstood) {
  EXPECT_EQ(Copy(Text<char>("train.py", true, 8)), "train.py");
  EXPECT_EQ(Copy(Text<char16_t>(u"файл", false, 16)), "файл");
}

TEST(CopyPythonText, LoneSurrogates_BecomeQuestionMarks) {
  EXPECT_EQ(Copy(Text<char16_t>(std::u16string{u'a', char16_t{0xdc80}, u'b'}, false)), "a?b");
}

TEST(CopyPythonText, TooLong_IsCutBetweenCharacters) {
  EXPECT_EQ(Copy(Text<char>("train.py", true), 5), "train");
  EXPECT_EQ(Copy(Text<char16_t>(u"файл", false), 5), "фа");
}

TEST(CopyPythonText, NoText_IsUnreadable) {
  std::vector<uint64_t> object = Text<char>("x", true);
  object[4] = 0;  // no state that a str can have
  EXPECT_EQ(Copy(object), "unreadable");
  object = Text<char>("x", true);
  object[2] = uint64_t{1} << 60;
  EXPECT_EQ(Copy(object), "unreadable");
  char out[8];
  for (const uint64_t address : {uint64_t{0}, uint64_t{8}, uint64_t{0x10001}, uint64_t{1} << 63}) {
    EXPECT_EQ(CopyPythonText(Layout312(), address, out, sizeof(out)), kUnreadable);
  }
}

TEST(FindPythonBytes, FindsThem) {
  std::vector<uint64_t> object = {1, 2, 5, 0, 0x6564636261};
  const uint8_t* data = nullptr;
  const auto address = reinterpret_cast<uint64_t>(object.data());
  ASSERT_EQ(FindPythonBytes(Layout312(), address, &data), 5u);
  EXPECT_EQ(std::string(data, data + 5), "abcde");
  object[2] = UINT64_MAX;
  EXPECT_EQ(FindPythonBytes(Layout312(), address, &data), kUnreadable);
}

}  // namespace
}  // namespace migprof::record

// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/clean_text.h"

#include <gtest/gtest.h>

namespace migprof::render {
namespace {

TEST(CleanText, ValidText_StaysAsItIs) {
  for (const char* text : {"", "main", "at::native::add<float>(int)", "Größe", "日本語", "🔥", "a\xC2\xA0z"}) {
    EXPECT_EQ(CleanText(text), text);
  }
}

TEST(CleanText, ControlCharacters_AreReplaced) {
  EXPECT_EQ(CleanText(std::string("a\0b", 3)), "a\uFFFDb");
  EXPECT_EQ(CleanText("a\tb\nc\rd\x1b[0m\x7f"), "a\uFFFDb\uFFFDc\uFFFDd\uFFFD[0m\uFFFD");
  EXPECT_EQ(CleanText("\xC2\x80\xC2\x9F"), "\uFFFD\uFFFD");  // C1
}

TEST(CleanText, CharactersThatReorderOrBreakLines_AreReplaced) {
  EXPECT_EQ(CleanText("a\u202Eb\u2066c\u2028d\uFEFFe"), "a\uFFFDb\uFFFDc\uFFFDd\uFFFDe");
}

TEST(CleanText, IllFormedUtf8_IsReplacedOncePerMaximalSubpart) {
  EXPECT_EQ(CleanText("\xFF"), "\uFFFD");
  EXPECT_EQ(CleanText("\xC0\xAF"), "\uFFFD\uFFFD");                      // overlong
  EXPECT_EQ(CleanText("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");            // surrogate
  EXPECT_EQ(CleanText("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");  // past U+10FFFF
  EXPECT_EQ(CleanText("\xE2\x82"), "\uFFFD");                            // cut short
  EXPECT_EQ(CleanText("\xF0\x9F\x94z"), "\uFFFDz");
  EXPECT_EQ(CleanText("\xEF\xBF\xBF"), "\uFFFD");  // noncharacter, forbidden in XML
}

TEST(CleanText, EveryTwoBytes_GiveValidUtf8ThatIsCleanAlready) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string clean = CleanText(std::string{static_cast<char>(first), static_cast<char>(second)});
      EXPECT_EQ(CleanText(clean), clean);
    }
  }
}

TEST(EscapeXml, MarkupCharacters_BecomeReferences) {
  EXPECT_EQ(EscapeXml("a<b>&\"'c]]>"), "a&lt;b&gt;&amp;&quot;&#39;c]]&gt;");
}

TEST(AppendJsonString, NothingEndsAStringACdataSectionOrAScript) {
  std::string json;
  AppendJsonString("\"\\</script>&]]>", &json);
  EXPECT_EQ(json, R"("\"\\\u003c/script\u003e\u0026]]\u003e")");
}

TEST(DisplayCells, WideAndCombiningCharacters_AreCountedAsTerminalsDrawThem) {
  EXPECT_EQ(DisplayCells("abc"), 3u);
  EXPECT_EQ(DisplayCells("Größe"), 5u);
  EXPECT_EQ(DisplayCells("日本"), 4u);
  EXPECT_EQ(DisplayCells("e\u0301"), 1u);
  EXPECT_EQ(DisplayCells("🔥"), 2u);
}

TEST(CutToCells, LongText_EndsInAnEllipsis) {
  EXPECT_EQ(CutToCells("abcdef", 6), "abcdef");
  EXPECT_EQ(CutToCells("abcdef", 5), "abcd…");
  EXPECT_EQ(CutToCells("日本語", 4), "日…");
  EXPECT_EQ(CutToCells("abc", 1), "…");
  EXPECT_EQ(CutToCells("abc", 0), "");
}

TEST(CutMiddle, LongText_KeepsBothEnds) {
  EXPECT_EQ(CutMiddle("abcdefgh", 8), "abcdefgh");
  EXPECT_EQ(CutMiddle("abcdefgh", 5), "ab…gh");
  EXPECT_EQ(CutMiddle("abcdefgh", 6), "abc…gh");
  EXPECT_EQ(CutMiddle("abcdefgh", 2), "a…");
}

TEST(CutMiddle, AnyWidth_IsNeverExceeded) {
  const std::string text = "日本語abcdéfgh日本語xyz日";
  for (size_t cells = 0; cells < 30; ++cells) EXPECT_LE(DisplayCells(CutMiddle(text, cells)), cells);
}

}  // namespace
}  // namespace migprof::render

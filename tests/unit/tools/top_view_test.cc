// SPDX-License-Identifier: Apache-2.0
#include "tools/top_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "libmigprof/render/clean_text.h"
#include "tests/unit/render/live_samples.h"
#include "tools/listen_socket.h"

namespace migprof::tools {
namespace {

using testing::HasSubstr;
using testing::Not;
using Action = TopView::Action;

constexpr uint64_t kSecond = 1'000'000'000;

std::string Joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

class TopViewTest : public testing::Test {
 protected:
  std::string Draw(size_t width = 120, size_t height = 40, uint64_t age_ns = 0) {
    return Joined(view_.Draw(&sample_, sample_.time_ns + age_ns, kSecond, width, height));
  }

  mig::LiveSample sample_ = render::SampleLive();
  TopView view_{render::TopSort::kSlice};
};

TEST_F(TopViewTest, AnySize_IsObserved) {
  for (size_t width = 1; width < 130; width += 3) {
    for (size_t height = 1; height < 30; ++height) {
      const std::vector<std::string> lines = view_.Draw(&sample_, sample_.time_ns, kSecond, width, height);
      EXPECT_LE(lines.size(), height);
      for (const std::string& line : lines) EXPECT_LE(render::DisplayCells(line), width) << line;
    }
  }
}

TEST_F(TopViewTest, SmallWindow_StillHasSlices) { EXPECT_THAT(Draw(80, 8), HasSubstr("1g.10gb")); }

TEST_F(TopViewTest, NoSampleYet_IsSaid) {
  EXPECT_THAT(Joined(view_.Draw(nullptr, 0, kSecond, 80, 24)), HasSubstr("asking the driver"));
}

TEST_F(TopViewTest, Keys_SortReverseHidePauseAndQuit) {
  EXPECT_EQ(view_.Type("m"), Action::kRedraw);
  EXPECT_THAT(Draw(), HasSubstr("by memory\n"));
  EXPECT_EQ(view_.Type("r"), Action::kRedraw);
  EXPECT_THAT(Draw(), HasSubstr("by memory reversed"));
  EXPECT_EQ(view_.Type("u"), Action::kRedraw);
  EXPECT_THAT(Draw(), Not(HasSubstr("reversed")));
  view_.Type("i");
  EXPECT_THAT(Draw(), HasSubstr("2 idle hidden"));
  view_.Type(" ");
  EXPECT_TRUE(view_.is_paused());
  EXPECT_THAT(Draw(), HasSubstr("PAUSED"));
  EXPECT_EQ(view_.Type("x"), Action::kNone);
  EXPECT_EQ(view_.Type("q"), Action::kQuit);
}

TEST_F(TopViewTest, Arrows_ScrollAndAreNoOtherKeys) {
  sample_.gpus.resize(1);
  sample_.slices.resize(5);
  const std::string before = Draw(110, 8);
  EXPECT_THAT(before, HasSubstr("slices 1-"));
  EXPECT_EQ(view_.Type("\033[B"), Action::kRedraw);
  EXPECT_THAT(Draw(110, 8), HasSubstr("slices 2-"));
  EXPECT_EQ(view_.Type("\033"), Action::kNone) << "the rest of it comes later";
  view_.Type("[A");
  EXPECT_EQ(Draw(110, 8), before);
  for (int i = 0; i < 50; ++i) view_.Type("\033[6~");
  EXPECT_THAT(Draw(110, 8), HasSubstr("-5 of 5"));
}

TEST_F(TopViewTest, NarrowWindow_NamesEveryKey) {
  sample_.gpus.resize(1);
  sample_.slices.resize(5);
  EXPECT_THAT(Draw(80, 8), HasSubstr("of 5 (arrows)  q quit  sort u o t d m p n  r reverse  i idle  space pause"));
  EXPECT_THAT(Draw(160, 8), HasSubstr("sort: u SM  o occupancy"));
}

TEST_F(TopViewTest, SilentDriver_IsSaid) {
  EXPECT_THAT(Draw(120, 40, 2 * kSecond), Not(HasSubstr("NO ANSWER")));
  EXPECT_THAT(Draw(120, 40, 7 * kSecond), HasSubstr("NO ANSWER FROM THE DRIVER FOR 7 s"));
}

TEST(SplitAddress, KnownForms_AreSplit) {
  std::string host;
  std::string port;
  EXPECT_TRUE(SplitAddress("9464", &host, &port));
  EXPECT_EQ(host + " " + port, "127.0.0.1 9464") << "loopback unless asked otherwise";
  EXPECT_TRUE(SplitAddress("[::1]:80", &host, &port));
  EXPECT_EQ(host + " " + port, "::1 80");
  EXPECT_TRUE(SplitAddress("localhost:0", &host, &port));
  EXPECT_EQ(host + " " + port, "localhost 0");
  for (const char* wrong : {"", "x", ":1", "::1", "::1:80", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "a:b"}) {
    EXPECT_FALSE(SplitAddress(wrong, &host, &port)) << wrong;
  }
}

TEST(Listen, Loopback_IsToldFromOthers) {
  for (const auto& [address, loopback] : {std::pair("127.0.0.1:0", true), std::pair("0.0.0.0:0", false)}) {
    std::string problem;
    const ListenSocket socket = Listen(address, &problem);
    EXPECT_GE(socket.fd, 0) << problem;
    EXPECT_EQ(socket.is_loopback, loopback);
    EXPECT_FALSE(socket.address.ends_with(":0"));
    std::string second_problem;
    EXPECT_LT(Listen(socket.address, &second_problem).fd, 0);
    EXPECT_THAT(second_problem, HasSubstr("cannot listen at"));
    close(socket.fd);
  }
}

}  // namespace
}  // namespace migprof::tools

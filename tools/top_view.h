// SPDX-License-Identifier: Apache-2.0
// What the screen of `migprof top` shows, and what keys do to it. Knows no terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libmigprof/mig/live_sample.h"
#include "libmigprof/render/top_text.h"

namespace migprof::tools {

class TopView {
 public:
  explicit TopView(render::TopSort sort) { text_.sort = sort; }

  enum class Action { kNone, kRedraw, kQuit };
  // What was typed since the last time: keys, and the sequences that terminals send for arrows.
  Action Type(std::string_view keys);

  void set_colour(bool colour) { text_.colour = colour; }
  void set_ascii(bool ascii) { text_.ascii = ascii; }
  void set_served_at(std::string address) { served_at_ = std::move(address); }
  bool is_paused() const { return paused_; }

  // At most `height` lines of at most `width` cells. `sample` may be null. `now_ns` is since 1970.
  std::vector<std::string> Draw(const mig::LiveSample* sample, uint64_t now_ns, uint64_t interval_ns, size_t width,
                                size_t height);

 private:
  Action TypeKey(char key);
  std::string Header(const mig::LiveSample& sample, uint64_t now_ns, uint64_t interval_ns) const;

  render::TopTextOptions text_;
  std::string served_at_;
  bool paused_ = false;
  size_t first_row_ = 0;
  size_t page_ = 10;
  std::string rest_;  // of a sequence that has not ended
};

}  // namespace migprof::tools

// SPDX-License-Identifier: Apache-2.0
// A call tree as compact text: what the viewer in the browser is given. viewer/decode.js is the
// reader; the two change together, and kTreeEncodingVersion with them.
//
// One JSON object without `<`, `>` and `&` in it, so that it may stand in a CDATA section as well
// as in an HTML script element:
//   version     kTreeEncodingVersion
//   headline    {place: [text…], figures: [[label, value]…], verdict, health, loss, simulated}
//   kindLabels  [text…]: by FrameKind, what to call it
//   kinds       one letter per frame, 'a' + FrameKind
//   names       one text per frame, as shown
//   full        {index of frame: whole name}, only where it is not the name as shown
//   modules     [text…], the first of them ""
//   module      numbers: per frame, index into modules
//   inlined     [index of frame…] that the compiler inlined; absent when there are none
//   causes      {index of frame: IdleCause}, of frames of kind kIdle; absent when there are none
//   sources     {index of frame: "file:line"}; absent when there are none
//   view        ViewName; absent in a tree of GPU time
//   nodes       how many nodes, with the root
//   shape       balanced parentheses of the tree without the root: a bit 1 where a node begins, a bit
//               0 where it ends; six bits per digit, lowest first
//   frame       numbers: per node without the root, in pre-order. Of the frames seen so far below the
//               same parent frame, the first kShortlist make a list; a number below kShortlist is an
//               index into it, else kShortlist + frame
//   ns, count   numbers: own time and count per leaf, in pre-order
//   innerCount  how many inner nodes have time or count of their own
//   inner       numbers: per such node: distance from the one before (of the first, from the root),
//               own time, own count
// "numbers" are a column as number_encoding.h describes it, and a digit is one of its kDigits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libmigprof/render/call_tree.h"
#include "libmigprof/render/headline.h"

namespace migprof::render {

inline constexpr int kTreeEncodingVersion = 1;
inline constexpr uint32_t kShortlist = 64;

// The whole object.
std::string EncodeTree(const CallTree& tree, const Headline& headline);

// In parts, for several trees over one list of frames: an object with kindLabels to sources, and, per tree, one with
// version, headline, and view to inner. The nodes of `tree` refer to that list, of `frame_count` frames; tree.frames is
// not looked at.
std::string EncodeFrames(const std::vector<analyze::Frame>& frames);
std::string EncodeNodes(const CallTree& tree, size_t frame_count, const Headline& headline);

}  // namespace migprof::render

// SPDX-License-Identifier: Apache-2.0
// Folded stacks: the text that every flamegraph tool reads.
#pragma once

#include <ostream>

#include "libmigprof/render/call_tree.h"

namespace migprof::render {

// One line `frame;frame;… VALUE` per node with time of its own, in the order of the tree:
//  - frames root first: host; GPU; slice; process; host frames; …; the leaf is a kernel, a copy or a
//    note. The root of the tree, which is the same in every line, is left out.
//  - VALUE is the node's own time in ns. A node without time gets no line: a kernel whose times were
//    unusable is counted in the health of the slice, not here, for readers of the format add values.
//  - names are whole, not shortened for display, so that two kernels never become one; `;` becomes
//    `:`, and bytes that are not printable UTF-8 become U+FFFD.
//  - a function that the compiler inlined ends in `_[i]`, as in the output of perf for flamegraphs.
void WriteFolded(const CallTree& tree, std::ostream& out);

}  // namespace migprof::render

// SPDX-License-Identifier: Apache-2.0
// Comparison with files of tests/golden/render.
#pragma once

#include <string>

namespace migprof::render {

// Fails the running test when `actual` is not what the golden file holds, and keeps `actual` beside it as
// NAME.actual. With UPDATE_GOLDEN=1 in the environment the file is written instead: read the diff before it is
// committed.
void ExpectGolden(const std::string& name, const std::string& actual);

}  // namespace migprof::render

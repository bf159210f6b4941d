// SPDX-License-Identifier: Apache-2.0
// Columns of numbers as short printable text, for a reader in JavaScript: viewer/decode.js. Change
// both together.
//
// {"ranges": [[digits, leads]…], "text": "…"}. A number is written in 1 to 11 digits of base
// kDigits.size(). Its first digit tells how many there are: the first `leads` first digits of
// ranges[0] begin numbers of ranges[0].digits digits and stand for the smallest values, the next
// those of ranges[1], and so on. The writer picks the ranges of a column for the shortest text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace migprof::render {

// Every printable ASCII character to which neither JSON nor XML gives a meaning.
inline constexpr std::string_view kDigits =
    "!#$%'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~";

std::string EncodeNumbers(const std::vector<uint64_t>& numbers);

}  // namespace migprof::render

// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them, the same in every output. viewer/format.js says the same in the
// browser: change both.
#pragma once

#include <cstdint>
#include <string>

namespace migprof::render {

// Three significant digits up to two minutes ("789 ns", "12.3 ms", "83.4 s"), then "12 min 34 s",
// "3 h 25 min", "3 d 4 h". `ascii` spells microseconds "us".
std::string HumanTime(uint64_t ns, bool ascii = false);

// Decimal units, three significant digits: "512 B", "4.10 GB".
std::string HumanBytes(uint64_t bytes);

// "1,234,567".
std::string HumanCount(uint64_t count);

// HumanCount up to 9,999,999, then three significant digits: "12.3 M". For columns.
std::string ShortCount(uint64_t count);

// "71.2%", "0.04%", "<0.01%"; "–" when `whole` is 0 ("-" for `ascii`).
std::string Percent(uint64_t part, uint64_t whole, bool ascii = false);

// HumanCount and the noun, in the plural unless it is 1: "1 process", "3 kernels".
std::string CountOf(uint64_t count, const std::string& singular, const std::string& plural);

// The time of day of a time in ns since 1970: "14:03:05 UTC".
std::string ClockTimeUtc(uint64_t ns);

}  // namespace migprof::render

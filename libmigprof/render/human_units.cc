// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/human_units.h"

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <iterator>

namespace migprof::render {
namespace {

// Not printf or a stream: their decimal point depends on the locale of the program.
std::string Fixed(double value, int decimals) {
  char text[64];
  const auto end = std::to_chars(std::begin(text), std::end(text), value, std::chars_format::fixed, decimals);
  return std::string(text, end.ptr);
}

// A value from 1 to 999.5, in three digits.
std::string ThreeDigits(double value) {
  if (value < 9.995) return Fixed(value, 2);
  if (value < 99.95) return Fixed(value, 1);
  return Fixed(value, 0);
}

// The largest unit in which the value is at least 1 once rounded, so that it never reads "1000".
template <size_t N>
std::string Scaled(double value, const char* const (&units)[N]) {
  size_t unit = 0;
  while (unit + 1 < N && value >= 999.5) {
    value /= 1000;
    ++unit;
  }
  return (unit == 0 ? Fixed(value, 0) : ThreeDigits(value)) + ' ' + units[unit];
}

std::string TwoParts(uint64_t whole, const char* unit, uint64_t rest, const char* rest_unit) {
  return HumanCount(whole) + ' ' + unit + ' ' + std::to_string(rest) + ' ' + rest_unit;
}

}  // namespace

std::string HumanTime(uint64_t ns, bool ascii) {
  constexpr const char* kUnits[] = {"ns", "µs", "ms", "s"};
  constexpr const char* kAsciiUnits[] = {"ns", "us", "ms", "s"};
  const uint64_t seconds = ns / 1'000'000'000 + (ns % 1'000'000'000 >= 500'000'000 ? 1 : 0);
  if (seconds < 120) {
    const double value = static_cast<double>(ns);
    return ascii ? Scaled(value, kAsciiUnits) : Scaled(value, kUnits);
  }
  if (seconds < uint64_t{2} * 3600) return TwoParts(seconds / 60, "min", seconds % 60, "s");
  const uint64_t minutes = seconds / 60;
  if (minutes < uint64_t{48} * 60) return TwoParts(minutes / 60, "h", minutes % 60, "min");
  return TwoParts(minutes / 60 / 24, "d", minutes / 60 % 24, "h");
}

std::string HumanBytes(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  return Scaled(static_cast<double>(bytes), kUnits);
}

std::string HumanCount(uint64_t count) {
  std::string text = std::to_string(count);
  for (size_t from_end = 3; from_end < text.size(); from_end += 4) {
    text.insert(text.size() - from_end, 1, ',');
  }
  return text;
}

std::string ShortCount(uint64_t count) {
  if (count < 10'000'000) return HumanCount(count);
  constexpr const char* kUnits[] = {"", "k", "M", "G", "T", "P", "E"};
  return Scaled(static_cast<double>(count), kUnits);
}

std::string Percent(uint64_t part, uint64_t whole, bool ascii) {
  if (whole == 0) return ascii ? "-" : "–";
  const double percent = 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  if (part == 0) return "0%";
  if (percent < 0.01) return "<0.01%";
  if (percent < 0.995) return Fixed(percent, 2) + '%';
  if (percent >= 99.95 && part == whole) return "100%";
  return Fixed(percent, 1) + '%';
}

std::string CountOf(uint64_t count, const std::string& singular, const std::string& plural) {
  return HumanCount(count) + ' ' + (count == 1 ? singular : plural);
}

std::string ClockTimeUtc(uint64_t ns) {
  const uint64_t second = ns / 1'000'000'000 % 86'400;
  char text[32];
  std::snprintf(text, sizeof(text), "%02u:%02u:%02u UTC", static_cast<unsigned>(second / 3600),
                static_cast<unsigned>(second / 60 % 60), static_cast<unsigned>(second % 60));
  return text;
}

}  // namespace migprof::render

// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/demangle.h"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace migprof::analyze {
namespace {

// Longer mangled names exist (100 KB in template-heavy code); demangled they can be a hundred times as long.
constexpr size_t kLongestMangled = 16 * 1024;
constexpr size_t kLongestDemangled = 64 * 1024;
// Template arguments up to this many characters are shown.
constexpr size_t kShownArguments = 24;

bool IsOpening(char c) { return c == '<' || c == '(' || c == '[' || c == '{'; }
bool IsIdentifier(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; }
bool IsClosing(char c) { return c == '>' || c == ')' || c == ']' || c == '}'; }

// True when the '<' or '>' at `i` is part of an operator name or an arrow and not a bracket.
bool IsOperatorSign(absl::string_view text, size_t i) {
  if (text[i] == '>' && i > 0 && text[i - 1] == '-') return true;
  size_t start = i;
  const size_t longest = 3;  // "<=>", "<<=", ">>="
  while (start > 0 && i - start < longest &&
         (text[start - 1] == '<' || text[start - 1] == '>' || text[start - 1] == '=')) {
    --start;
  }
  return absl::EndsWith(text.substr(0, start), "operator");
}

// The position of the bracket that closes the one at `open`, or npos.
size_t Closing(absl::string_view text, size_t open) {
  int depth = 0;
  for (size_t i = open; i < text.size(); ++i) {
    if ((text[i] == '<' || text[i] == '>') && IsOperatorSign(text, i)) continue;
    if (IsOpening(text[i])) ++depth;
    if (IsClosing(text[i]) && --depth == 0) return i;
  }
  return absl::string_view::npos;
}

// Where the parameter list of the outermost function starts: the first '(' outside of all other brackets that does not
// belong to
// "(anonymous namespace)" or "operator()".
size_t ParameterList(absl::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{' || (text[i] == '<' && !IsOperatorSign(text, i))) {
      const size_t end = Closing(text, i);
      if (end == absl::string_view::npos) return end;
      i = end;
    } else if (text[i] == '(') {
      const absl::string_view rest = text.substr(i);
      if (absl::StartsWith(rest, "(anonymous namespace)")) {
        i += 20;
      } else if (absl::StartsWith(rest, "()") && absl::EndsWith(text.substr(0, i), "operator")) {
        i += 1;
      } else if (const size_t end = Closing(text, i);
                 end != absl::string_view::npos && absl::StartsWith(text.substr(end + 1), "::")) {
        i = end;  // "f(int)::{lambda()#1}::operator()": the parameters of an enclosing function
      } else {
        return i;
      }
    }
  }
  return absl::string_view::npos;
}

// Where the function's own name starts: behind the last blank outside of brackets ("void ", "static int const& ").
size_t NameStart(absl::string_view text) {
  size_t start = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsOpening(text[i]) && !(text[i] == '<' && IsOperatorSign(text, i))) {
      const size_t end = Closing(text, i);
      if (end == absl::string_view::npos) return start;
      i = end;
    } else if (absl::StartsWith(text.substr(i), "operator") && (i == 0 || !IsIdentifier(text[i - 1]))) {
      return start;  // "operator bool", "operator< <int>": blanks from here on are part of the name
    } else if (text[i] == ' ') {
      start = i + 1;
    }
  }
  return start;
}

std::string ShortenArguments(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    if (text[i] != '<' || IsOperatorSign(text, i)) continue;
    const size_t end = Closing(text, i);
    if (end == absl::string_view::npos) return absl::StrCat(out, text.substr(i + 1));
    const absl::string_view arguments = text.substr(i + 1, end - i - 1);
    if (arguments.size() <= kShownArguments) {
      absl::StrAppend(&out, arguments, ">");
    } else {
      // The first arguments, as long as they are short, are what tells instantiations apart.
      size_t keep = 0;
      for (size_t j = 0; j < arguments.size() && j <= kShownArguments; ++j) {
        if (IsOpening(arguments[j])) break;
        if (arguments[j] == ',') keep = j;
      }
      absl::StrAppend(&out, arguments.substr(0, keep), keep > 0 ? ", …>" : "…>");
    }
    i = end;
  }
  return out;
}

}  // namespace

std::string Demangle(absl::string_view name) {
  if (!absl::StartsWith(name, "_Z") || name.size() > kLongestMangled) return std::string(name);
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> demangled(
      abi::__cxa_demangle(std::string(name).c_str(), nullptr, nullptr, &status), &std::free);
  if (status != 0 || demangled == nullptr) return std::string(name);
  return std::string(absl::string_view(demangled.get()).substr(0, kLongestDemangled));
}

std::string ShortName(absl::string_view demangled) {
  absl::string_view name = demangled;
  const size_t parameters = ParameterList(name);
  if (parameters != absl::string_view::npos) {
    name = name.substr(0, parameters);
    name = name.substr(NameStart(name));
  }
  if (name.empty()) return std::string(demangled);
  std::string shorter = absl::StrReplaceAll(ShortenArguments(name), {{"(anonymous namespace)::", ""}});
  // Whole, if nothing is left to read: "(anonymous namespace)::()" is no name of a compiler's, but a trace may hold it.
  return shorter.empty() ? std::string(demangled) : shorter;
}

}  // namespace migprof::analyze

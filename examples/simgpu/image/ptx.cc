// SPDX-License-Identifier: Apache-2.0
// Reads from PTX text what its kernels are called and what they declare. It does not compile: code that ptxas would
// refuse passes.
#include <cctype>
#include <cstdlib>
#include <map>
#include <optional>
#include <string_view>

#include "image/module_image.h"

namespace simgpu::image {
namespace {

// Splits text into names and directives (".entry", "_Z3foo", "%r1"), numbers, and single other characters. Comments are
// skipped.
class Tokens {
 public:
  explicit Tokens(std::string_view text) : text_(text) {}

  // Empty at the end of the text.
  std::string_view Next() {
    SkipBlanks();
    if (position_ >= text_.size()) return {};
    const size_t start = position_;
    if (!IsWord(text_[position_])) return text_.substr(position_++, 1);
    while (position_ < text_.size() && IsWord(text_[position_])) ++position_;
    return text_.substr(start, position_ - start);
  }

  std::string_view Peek() {
    const size_t before = position_;
    const std::string_view token = Next();
    position_ = before;
    return token;
  }

 private:
  static bool IsWord(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '$' || c == '%';
  }

  void SkipBlanks() {
    while (position_ < text_.size()) {
      if (std::isspace(static_cast<unsigned char>(text_[position_])) != 0) {
        ++position_;
      } else if (text_.substr(position_, 2) == "//") {
        position_ = std::min(text_.find('\n', position_), text_.size());
      } else if (text_.substr(position_, 2) == "/*") {
        const size_t end = text_.find("*/", position_ + 2);
        position_ = end == std::string_view::npos ? text_.size() : end + 2;
      } else {
        return;
      }
    }
  }

  const std::string_view text_;
  size_t position_ = 0;
};

size_t Number(std::string_view token) { return std::strtoull(std::string(token).c_str(), nullptr, 0); }

std::optional<size_t> TypeBytes(std::string_view token) {
  static const std::map<std::string_view, size_t> kBytes = {
      {".b8", 1},   {".u8", 1},  {".s8", 1},  {".b16", 2},   {".u16", 2},    {".s16", 2},        {".f16", 2},
      {".bf16", 2}, {".b32", 4}, {".u32", 4}, {".s32", 4},   {".f32", 4},    {".f16x2", 4},      {".b64", 8},
      {".u64", 8},  {".s64", 8}, {".f64", 8}, {".b128", 16}, {".texref", 8}, {".samplerref", 8}, {".surfref", 8}};
  const auto found = kBytes.find(token);
  return found != kBytes.end() ? std::optional<size_t>(found->second) : std::nullopt;
}

// `.align 4 .b8 name[64]`, after its `.shared`, `.global`, `.const` or `.param`.
struct Declaration {
  std::string name;
  size_t alignment = 1;
  size_t bytes = 0;
};

Declaration ReadDeclaration(Tokens* tokens) {
  Declaration declaration;
  size_t element = 0;
  for (std::string_view token = tokens->Peek(); !token.empty() && token.front() == '.'; token = tokens->Peek()) {
    tokens->Next();
    if (token == ".align") {
      declaration.alignment = Number(tokens->Next());
    } else if (const std::optional<size_t> bytes = TypeBytes(token)) {
      element = *bytes;
    }
  }
  declaration.name = std::string(tokens->Next());
  size_t count = 1;
  while (tokens->Peek() == "[") {
    tokens->Next();
    count *= tokens->Peek() == "]" ? 0 : Number(tokens->Next());
    tokens->Next();
  }
  declaration.alignment = std::max(declaration.alignment, element);
  declaration.bytes = element * count;
  return declaration;
}

size_t RoundUp(size_t value, size_t alignment) {
  return alignment == 0 ? value : (value + alignment - 1) / alignment * alignment;
}

void ReadParameters(Tokens* tokens, Kernel* kernel) {
  size_t offset = 0;
  for (std::string_view token = tokens->Next(); !token.empty() && token != ")"; token = tokens->Next()) {
    if (token != ".param") continue;
    const Declaration declaration = ReadDeclaration(tokens);
    offset = RoundUp(offset, declaration.alignment);
    kernel->parameters.push_back({offset, declaration.bytes});
    offset += declaration.bytes;
  }
}

// Up to three numbers, as after `.maxntid`.
void ReadDimensions(Tokens* tokens, uint32_t dimensions[3]) {
  for (int i = 0; i < 3; ++i) {
    dimensions[i] = static_cast<uint32_t>(Number(tokens->Next()));
    if (tokens->Peek() != ",") return;
    tokens->Next();
  }
}

void ReadBody(Tokens* tokens, Kernel* kernel) {
  size_t depth = 1;
  while (depth > 0) {
    const std::string_view token = tokens->Next();
    if (token.empty()) return;
    if (token == "{") ++depth;
    if (token == "}") --depth;
    if (token != ".shared") continue;
    const Declaration declaration = ReadDeclaration(tokens);
    kernel->static_shared_bytes =
        static_cast<uint32_t>(RoundUp(kernel->static_shared_bytes, declaration.alignment) + declaration.bytes);
  }
}

// After `.entry`.
Kernel ReadKernel(Tokens* tokens) {
  Kernel kernel;
  kernel.name = std::string(tokens->Next());
  if (tokens->Peek() == "(") ReadParameters(tokens, &kernel);
  for (std::string_view token = tokens->Next(); !token.empty() && token != ";"; token = tokens->Next()) {
    uint32_t dimensions[3] = {1, 1, 1};
    if (token == ".maxntid" || token == ".reqntid") {
      ReadDimensions(tokens, dimensions);
      kernel.max_threads = std::min(1024u, dimensions[0] * dimensions[1] * dimensions[2]);
    } else if (token == ".reqnctapercluster") {
      ReadDimensions(tokens, dimensions);
      std::copy(dimensions, dimensions + 3, kernel.cluster);
    } else if (token == "{") {
      ReadBody(tokens, &kernel);
      break;
    }
  }
  return kernel;
}

void SkipFunction(Tokens* tokens) {
  for (std::string_view token = tokens->Next(); !token.empty() && token != ";"; token = tokens->Next()) {
    if (token != "{") continue;
    Kernel ignored;
    ReadBody(tokens, &ignored);
    return;
  }
}

}  // namespace

ImageError ReadPtx(std::span<const uint8_t> text, ModuleImage* module) {
  Tokens tokens({reinterpret_cast<const char*>(text.data()), text.size()});
  bool has_version = false;
  module->from_ptx = true;
  module->binary = text;
  for (std::string_view token = tokens.Next(); !token.empty(); token = tokens.Next()) {
    if (token == ".version") {
      has_version = true;
    } else if (token == ".target") {
      const std::string_view target = tokens.Next();
      if (target.substr(0, 3) != "sm_") return ImageError::kBadPtx;
      module->architecture = static_cast<uint32_t>(Number(target.substr(3)));
    } else if (token == ".entry") {
      module->kernels.push_back(ReadKernel(&tokens));
    } else if (token == ".func") {
      SkipFunction(&tokens);
    } else if (token == ".global" || token == ".const") {
      const Declaration declaration = ReadDeclaration(&tokens);
      module->variables.push_back({declaration.name, declaration.bytes, {}, token == ".const"});
    } else if (!has_version) {
      return ImageError::kNotAnImage;  // PTX starts with its version
    }
  }
  if (!has_version) return ImageError::kNotAnImage;
  return module->architecture != 0 ? ImageError::kNone : ImageError::kBadPtx;
}

}  // namespace simgpu::image

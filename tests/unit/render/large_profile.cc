// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <utility>
#include <vector>

#include "tests/unit/render/sample_profiles.h"

namespace migprof::render {
namespace {

using analyze::Frame;
using analyze::FrameId;
using analyze::FrameKind;
using analyze::NodeId;
using analyze::Profile;
using analyze::SliceProfile;

constexpr size_t kFunctions = 5600;
constexpr size_t kKernels = 400;

// The distributions of <random> differ between standard libraries; these do not.
class Dice {
 public:
  uint64_t Next() {  // SplitMix64
    uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  size_t Below(size_t limit) { return static_cast<size_t>(Next() % limit); }
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

 private:
  uint64_t state_ = 42;
};

std::string FunctionName(size_t i, Dice* dice) {
  constexpr const char* kSpaces[] = {"at::native", "torch::autograd", "c10::impl", "std", "app::model", "app::data"};
  constexpr const char* kVerbs[] = {"evaluate", "dispatch", "apply", "call_boxed", "forward", "make_variable"};
  const std::string number = std::to_string(i);
  if (i % 3 == 0) return std::string(kVerbs[dice->Below(6)]) + "_" + number + " (layers/module_" + number + ".py)";
  return std::string(kSpaces[dice->Below(6)]) + "::Functor" + number + "::" + kVerbs[dice->Below(6)] + "(Tensor&)";
}

struct Program {
  std::vector<FrameId> functions;
  std::vector<FrameId> kernels;
  std::vector<std::vector<uint32_t>> callees;  // of each function; empty: any
  std::vector<std::vector<uint32_t>> launches;
};

Program MakeProgram(CallGraph calls, Profile* profile, Dice* dice) {
  Program program;
  for (size_t i = 0; i < kFunctions; ++i) {
    Frame frame;
    frame.name = frame.full_name = FunctionName(i, dice);
    frame.kind = i % 3 == 0 ? FrameKind::kPython : FrameKind::kNative;
    frame.module = i % 3 == 0 ? "layers" : "libtorch_" + std::to_string(i % 7) + ".so";
    program.functions.push_back(profile->frames.Intern(std::move(frame)));
  }
  for (size_t i = 0; i < kKernels; ++i) {
    Frame frame;
    frame.name = "gemm_kernel_" + std::to_string(i) + "<float, …>";
    frame.full_name = "void gemm_kernel_" + std::to_string(i) + "<float, 128, 64, 32>(Parameters<float>)";
    frame.kind = FrameKind::kKernel;
    program.kernels.push_back(profile->frames.Intern(std::move(frame)));
  }
  program.callees.resize(kFunctions);
  program.launches.resize(kFunctions);
  if (calls == CallGraph::kRandom) return program;
  for (size_t i = 0; i < kFunctions; ++i) {
    for (size_t k = 1 + dice->Below(9); k > 0; --k) {
      program.callees[i].push_back(static_cast<uint32_t>(dice->Below(kFunctions)));
    }
    for (size_t k = 1 + dice->Below(9); k > 0; --k) {
      program.launches[i].push_back(static_cast<uint32_t>(dice->Below(kKernels)));
    }
  }
  return program;
}

size_t Pick(const std::vector<uint32_t>& choices, size_t all, Dice* dice) {
  return choices.empty() ? dice->Below(all) : choices[dice->Below(choices.size())];
}

}  // namespace

Profile LargeProfile(size_t stacks, size_t depth, CallGraph calls) {
  Dice dice;
  Profile profile;
  const Program program = MakeProgram(calls, &profile, &dice);
  SliceProfile slice = std::move(SampleProfile().slices[0]);
  slice.simulated = false;
  slice.stacks = {};
  slice.kernels = {};
  slice.memcpys = {};
  slice.memsets = {};
  Frame process;
  process.name = process.full_name = "train.py (pid 4201)";
  process.kind = FrameKind::kProcess;

  std::vector<std::pair<NodeId, size_t>> path;  // node and function
  path.emplace_back(slice.stacks.Child(0, profile.frames.Intern(std::move(process))), 0);
  for (size_t made = 0; made < stacks;) {
    // Back a few calls, then down again: about 1.7 functions and a kernel are new per stack. Where calls are
    // sparse, more of the way down has been gone before.
    size_t back = dice.Below(calls == CallGraph::kSparse ? 5 : 4) + dice.Below(4) / 3;
    if (dice.Below(400) == 0) back = dice.Below(path.size());
    for (; back > 0 && path.size() > 2; --back) path.pop_back();
    const size_t target = depth - 6 + dice.Below(5);  // host, GPU, slice, process and kernel are rows too
    while (path.size() < target || dice.Below(4) == 0) {
      const size_t function = Pick(program.callees[path.back().second], kFunctions, &dice);
      path.emplace_back(slice.stacks.Child(path.back().first, program.functions[function]), function);
    }
    const size_t kernel = Pick(program.launches[path.back().second], kKernels, &dice);
    const NodeId leaf = slice.stacks.Child(path.back().first, program.kernels[kernel]);
    if (slice.stacks.nodes()[leaf].self_count != 0) continue;
    const double mean_ns = 2000 * std::pow(1000, static_cast<double>(kernel * 7919 % kKernels) / kKernels);
    const uint64_t count = 1 + static_cast<uint64_t>(2000 * std::pow(dice.Unit(), 6));
    const uint64_t ns = static_cast<uint64_t>(mean_ns * static_cast<double>(count) * (0.9 + 0.2 * dice.Unit()));
    slice.stacks.Add(leaf, ns, count);
    slice.kernels.count += count;
    slice.kernels.total_ns += ns;
    ++made;
  }
  slice.window_ns = slice.kernels.total_ns + slice.kernels.total_ns / 4;
  slice.busy_ns = slice.kernels.total_ns;
  profile.slices.push_back(std::move(slice));
  return profile;
}

}  // namespace migprof::render

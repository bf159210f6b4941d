// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/tensor_core_names.h"

#include <string>

#include "absl/strings/ascii.h"

namespace migprof::analyze {
namespace {

// Parts of names that mean Tensor Cores wherever they stand.
constexpr std::string_view kAnywhere[] = {
    "tensorop",      // CUTLASS and cuBLAS: cutlass_80_tensorop_bf16_s16816gemm_…, cutlass::arch::OpClassTensorOp
    "tensor16x8x",   // cuDNN and cuBLAS: sm80_xmma_fprop_…_tensor16x8x16_…
    "nvjet_",        // cuBLAS on Hopper and later: nvjet_tst_128x256_64x4_…
    "tcgen05",       // Blackwell's instruction
    "wgmma",         // Hopper's
    "tmagmma",       // CUTLASS on Hopper: MainloopSm90TmaGmmaWarpSpecialized
    "cpasyncgmma",   // … MainloopSm90CpAsyncGmmaWarpSpecialized
    "tmaumma",       // … and on Blackwell: MainloopSm100TmaUmmaWarpSpecialized
    "flash_fwd_",    // FlashAttention 2: flash_fwd_kernel, flash_fwd_splitkv_kernel
    "flash_bwd_",    // … flash_bwd_dq_dk_dv_loop_…; not its helpers, see below
    "flashattnfwd",  // FlashAttention 3: FlashAttnFwdSm90
    "flashattnbwd",
    "fmha_cutlass",  // xFormers and PyTorch: fmha_cutlassF_bf16_aligned_64x64_rf_sm80
    "fmha_v2",       // TensorRT: fmha_v2_flash_attention_fp16_…
};

// Instruction shapes in the names of cuBLAS's and cuDNN's kernels, each after a letter for the type of the sum:
// volta_h884gemm_…, turing_fp16_s1688cudnn_…, ampere_bf16_s16816gemm_…, …_s64x128x16gemm_… Not after another letter or
// digit.
constexpr std::string_view kShapes[] = {"h884",   "s884",   "d884",  "h1688",  "s1688",  "d1688", "h16816",
                                        "s16816", "d16816", "i8816", "i16832", "i16864", "h64x",  "s64x"};

// Words: instructions, also as Triton and people's own kernels name them. Not as a part of "comma", "gamma", "summand".
constexpr std::string_view kWords[] = {"mma", "wmma", "hmma", "imma", "dmma", "qmma", "gmma", "umma"};

// Parts that mean it unless the name also says that CUDA cores compute: cuDNN and cuBLAS name both kinds after xmma.
constexpr std::string_view kUnlessPlain[] = {"xmma_gemm",  "xmma_new_gemm", "xmma_sparse", "xmma_fprop",
                                             "xmma_dgrad", "xmma_wgrad",    "xmma_conv"};
constexpr std::string_view kPlain[] = {"simt", "ffma", "sgemm", "cudacore"};

// Helpers of kernels that use Tensor Cores, and what says that it does not.
constexpr std::string_view kNever[] = {"dot_do_o",    "convert_dq",     "convert_dkv",  "clear_dkvaccum",
                                       "_combine_",   "combine_kernel", "splitkreduce", "_simt_",
                                       "opclasssimt", "prepare_varlen"};

bool IsLetter(char c) { return absl::ascii_isalpha(static_cast<unsigned char>(c)); }
bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }

bool HasWord(std::string_view name, std::string_view word) {
  for (size_t at = name.find(word); at != std::string_view::npos; at = name.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !IsLetter(name[at - 1])) && (end == name.size() || !IsLetter(name[end]))) return true;
  }
  return false;
}

bool HasShape(std::string_view name, std::string_view shape) {
  for (size_t at = name.find(shape); at != std::string_view::npos; at = name.find(shape, at + 1)) {
    const size_t end = at + shape.size();
    const bool begins = at == 0 || !(IsLetter(name[at - 1]) || IsDigit(name[at - 1]));
    // "s64x" goes on with digits, all others with letters: "s16816gemm".
    const bool goes_on = end < name.size() && (shape.back() == 'x' ? IsDigit(name[end]) : IsLetter(name[end]));
    if (begins && goes_on) return true;
  }
  return false;
}

template <size_t kCount>
bool HasAny(std::string_view name, const std::string_view (&parts)[kCount]) {
  for (const std::string_view part : parts) {
    if (name.find(part) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

bool UsesTensorCores(std::string_view kernel_name) {
  const std::string name = absl::AsciiStrToLower(std::string(kernel_name));
  if (HasAny(name, kNever)) return false;
  if (HasAny(name, kAnywhere)) return true;
  if (HasAny(name, kUnlessPlain) && !HasAny(name, kPlain)) return true;
  for (const std::string_view shape : kShapes) {
    if (HasShape(name, shape)) return true;
  }
  for (const std::string_view word : kWords) {
    if (HasWord(name, word)) return true;
  }
  return false;
}

}  // namespace migprof::analyze

// SPDX-License-Identifier: Apache-2.0
// Names of kernels as a transformer's would be: mangled C++ templates.
#pragma once

#include <string>
#include <vector>

namespace workload::kernels {

inline constexpr char kEmbedding[] = "_ZN2nn9embeddingINS_4Bf16EEEvPKiPKT_PS4_i";
inline constexpr char kLayerNorm[] = "_ZN2nn10layer_normINS_4Bf16EEEvPKT_PS2_i";
inline constexpr char kMatmul[] = "_ZN2nn6matmulINS_4Bf16ELi128EEEvPKT_S4_PS2_iii";
inline constexpr char kRope[] = "_ZN2nn4ropeINS_4Bf16EEEvPT_PKfi";
inline constexpr char kAttention[] = "_ZN2nn15flash_attentionINS_4Bf16ELb1EEEvPKT_S4_S4_PS2_ii";
inline constexpr char kGelu[] = "_ZN2nn4geluINS_4Bf16EEEvPT_i";
inline constexpr char kSampleToken[] = "_ZN2nn12sample_tokenINS_4Bf16EEEvPKT_Pifm";
inline constexpr char kCrossEntropy[] = "_ZN2nn13cross_entropyINS_4Bf16EEEvPKT_PKiPfi";
inline constexpr char kMatmulBackward[] = "_ZN2nn15matmul_backwardINS_4Bf16ELi128EEEvPKT_S4_PS2_S5_iii";
inline constexpr char kAttentionBackward[] = "_ZN2nn24flash_attention_backwardINS_4Bf16ELb1EEEvPKT_S4_PS2_i";
inline constexpr char kLayerNormBackward[] = "_ZN2nn19layer_norm_backwardINS_4Bf16EEEvPKT_PS2_i";
inline constexpr char kAdamUpdate[] = "_ZN2nn11adam_updateIfEEvPT_PKS1_S2_S2_fffi";

inline std::vector<std::string> All() {
  return {kEmbedding,
          kLayerNorm,
          kMatmul,
          kRope,
          kAttention,
          kGelu,
          kSampleToken,
          kCrossEntropy,
          kMatmulBackward,
          kAttentionBackward,
          kLayerNormBackward,
          kAdamUpdate};
}

}  // namespace workload::kernels

// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/tensor_core_names.h"

#include <gtest/gtest.h>

namespace migprof::analyze {
namespace {

TEST(TensorCoreNamesTest, KernelsThatUseThem) {
  for (const char* name : {
           // cuBLAS
           "volta_h884gemm_128x64_ldg8_nn",
           "volta_fp16_s884gemm_fp16_128x128_ldg8_f2f_tn",
           "turing_h1688gemm_256x128_ldg8_stages_32x1_tn",
           "turing_fp16_s1688gemm_fp16_128x128_ldg8_f2f_nn",
           "ampere_fp16_s16816gemm_fp16_128x64_ldg8_relu_f2f_stages_64x4_tn",
           "ampere_bf16_s16816gemm_bf16_256x128_ldg8_f2f_stages_64x3_nn",
           "ampere_s16816gemm_bf16_128x64_ldg8_stages_64x4_tn",
           "ampere_h16816gemm_256x128_ldg8_stages_32x3_nt",
           "sm80_xmma_gemm_f16f16_f16f32_f32_tn_n_tilesize64x64x64_stage6_warpsize2x2x1_tensor16x8x16_kernel",
           "sm80_xmma_gemm_f32f32_tf32f32_f32_nn_n_tilesize128x128x16_stage4_warpsize2x2x1_tensor16x8x8_kernel",
           "sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x128x64_warpgroupsize1x1x1_execute_segment_k_off_"
           "kernel__5x_cublas",
           "nvjet_tst_128x256_64x4_2x1_v_bz_coopA_TNT",
           "nvjet_hsh_256x128_64x4_1x2_h_bz_coopA_TNN",
           // CUTLASS
           "void cutlass::Kernel2<cutlass_80_tensorop_bf16_s16816gemm_relu_bf16_128x64_32x6_nn_align8>(Params)",
           "void cutlass::Kernel<cutlass_75_wmma_tensorop_h161616gemm_32x32_128x2_tn_align8>(Params)",
           "void cutlass::Kernel2<cutlass_80_tensorop_d884gemm_64x64_16x4_nn_align1>(Params)",
           "void cutlass::Kernel2<cutlass_80_tensorop_i16832gemm_s8_256x128_64x3_tn_align16>(Params)",
           "cutlass3x_sm90_tensorop_s64x128x16gemm_f16_f16_f32_f16_f16_128x128x64_2x1x1_0_tnn_align8_warpspecialized",
           "void cutlass::device_kernel<cutlass::gemm::kernel::GemmUniversal<cute::tuple<int, int, int, int>, "
           "cutlass::gemm::collective::CollectiveMma<cutlass::gemm::MainloopSm90TmaGmmaWarpSpecialized<4> > > >",
           "_ZN7cutlass13device_kernelINS_4gemm6kernel13GemmUniversalINS_34MainloopSm100TmaUmmaWarpSpecializedE",
           "void cutlass::Kernel<cutlass::gemm::kernel::Gemm<cutlass::arch::OpClassTensorOp, cutlass::arch::Sm80>>",
           // cuDNN
           "turing_fp16_s1688cudnn_fp16_128x128_ldg8_relu_f2f_exp_small_nhwc_tn_v1",
           "sm80_xmma_fprop_implicit_gemm_f16f16_f16f32_f32_nhwckrsc_nhwc_tilesize128x128x64_stage3_warpsize2x2x1_g1_"
           "tensor16x8x16_execute_kernel_cudnn",
           "sm90_xmma_wgrad_implicit_gemm_indexed_bf16bf16_bf16f32_f32_nhwckrsc_nhwc_tilesize64x64x64_cudnn",
           // attention
           "void flash_fwd_kernel<Flash_fwd_kernel_traits<128, 128, 64, 4, false, false, cutlass::bfloat16_t> >",
           "void pytorch_flash::flash_fwd_splitkv_kernel<Flash_fwd_kernel_traits<64, 64, 256, 4> >(Params)",
           "void flash_bwd_dq_dk_dv_loop_seqk_parallel_kernel<Flash_bwd_kernel_traits<64, 128, 128, 8> >(Params)",
           "void cutlass::device_kernel<flash::enable_sm90_or_later<flash::FlashAttnFwdSm90<flash::Mainloop> > >",
           "fmha_cutlassF_bf16_aligned_64x128_rf_sm80(PyTorchMemEffAttention::AttentionKernel::Params)",
           "fmha_v2_flash_attention_fp16_64_128_S_128_sm80_kernel",
           // people's own, Triton's
           "my_wgmma_kernel",
           "_Z11hmma_matmulPKfPf",
           "void wmma_example(__half*, float*)",
           "mma_sync_test",
           "gemm_tcgen05_fp8",
       }) {
    EXPECT_TRUE(UsesTensorCores(name)) << name;
  }
}

TEST(TensorCoreNamesTest, KernelsThatDoNot) {
  for (const char* name : {
           // on CUDA cores, by the same libraries
           "volta_sgemm_128x64_nn",
           "ampere_sgemm_32x128_nn",
           "maxwell_sgemm_128x64_tn",
           "volta_dgemm_64x64_nn",
           "void cutlass::Kernel2<cutlass_80_simt_sgemm_128x64_8x5_nn_align1>(Params)",
           "void cutlass::Kernel<cutlass::gemm::kernel::Gemm<cutlass::arch::OpClassSimt, cutlass::arch::Sm80>>",
           "sm80_xmma_gemm_f32f32_f32f32_f32_nn_n_tilesize32x32x8_stage3_warpsize1x2x1_ffma_aligna4_alignc4_execute_"
           "kernel__5x_cublas",
           "sm80_xmma_fprop_implicit_gemm_f32f32_f32f32_f32_nchwkcrs_nchw_tilesize32x32x8_stage3_warpsize1x2x1_g1_"
           "ffma_aligna4_alignc4_execute_kernel_cudnn",
           "void gemv2T_kernel_val<int, int, float, float, float, float, 128, 16, 4, 4, false, false>",
           "void gemmSN_NN_kernel<float, 256, 4, 2, 8, 4, 4, false>",
           "void cudnn::winograd_nonfused::winogradForwardFilter4x4<float, float>",
           // their helpers
           "void cublasLt::splitKreduce_kernel<32, 16, int, float, __nv_bfloat16>(params)",
           "void flash_fwd_splitkv_combine_kernel<Flash_fwd_kernel_traits<64, 64, 256, 4>, 4, 1, true>(Params)",
           "void flash_bwd_dot_do_o_kernel<true, Flash_bwd_kernel_traits<64, 128, 128, 8> >(Params)",
           "void flash_bwd_convert_dq_kernel<Flash_bwd_kernel_traits<64, 128, 128, 8> >(Params)",
           // ordinary kernels, and words that hold a part by chance
           "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float> >",
           "void at::native::(anonymous namespace)::GammaBetaBackwardCUDAKernel<float>",
           "lgamma_kernel_cuda",
           "digamma_kernel",
           "comma_separated_kernel",
           "dummy_kernel",
           "summary_kernel",
           "ncclDevKernel_AllReduce_Sum_bf16_RING_LL",
           "triton_poi_fused_add_0d884",
           "triton_red_fused_s884_kernel",
           "softmax_warp_forward",
           "VectorAdd",
           "",
       }) {
    EXPECT_FALSE(UsesTensorCores(name)) << name;
  }
}

}  // namespace
}  // namespace migprof::analyze

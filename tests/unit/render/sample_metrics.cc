// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/render/sample_metrics.h"

namespace migprof::render {

void FillSampleMetrics(analyze::SliceProfile* slice) {
  constexpr uint64_t kMs = 1'000'000;
  analyze::SliceMetrics& metrics = slice->metrics;
  metrics.kernel_busy_ns = 2976 * kMs;
  metrics.sm_weighted_ns = 2011 * kMs;
  metrics.sm_unknown_ns = 12 * kMs;
  metrics.tensor_ns = 2382 * kMs;
  metrics.copies[0] = {.count = 1024, .total_ns = 318 * kMs, .bytes = 4'294'967'296};
  for (uint64_t i = 1; i <= 100; ++i) metrics.kernel_duration.Add(1000 * i, 225);
  for (uint64_t i = 1; i <= 100; ++i) metrics.launch_latency.Add(60 * i, 225);
  metrics.timeline = {.bin_ns = 1150 * kMs,
                      .bins = {{600 * kMs, 700 * kMs}, {900 * kMs, 1000 * kMs}, {1150 * kMs, 1150 * kMs}, {}}};
  metrics.memory = {.peak_bytes = 7'516'192'768,
                    .peak_ns = slice->first_ns + 2345 * kMs,
                    .live_at_end_bytes = 1'048'576,
                    .allocations = 812,
                    .releases = 811,
                    .unknown_releases = 0,
                    .live_bytes = {1'048'576, 5'368'709'120, 7'516'192'768, 1'048'576}};
  analyze::KernelUse gemm;
  gemm.name = "cutlass::Kernel2<cutlass_80_tensorop_bf16_…>";
  gemm.full_name = "void cutlass::Kernel2<cutlass_80_tensorop_bf16_s16816gemm_relu_bf16_128x64_32x6_nn_align8>()";
  gemm.count = 12'288;
  gemm.total_ns = 2382 * kMs;
  gemm.sm_weighted_ns = 1900 * kMs;
  gemm.duration.Add(193'000, 12'288);
  gemm.uses_tensor_cores = true;
  gemm.registers_per_thread = 230;
  gemm.largest_grid_blocks = 512;
  metrics.kernels.push_back(gemm);
}

}  // namespace migprof::render

// SPDX-License-Identifier: Apache-2.0
// The driver API calls that are recorded, by CUPTI callback id. Driver ids are the same from CUDA 11.8 to 13.0 and
// later, unlike the runtime's: nvcc 13's <<<>>> no longer goes through cudaLaunchKernel. Ids unknown to an older CUPTI
// are refused by it and that is fine.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "libmigprof/format/trace_format.h"

// X(callback id, name as in CUpti_driver_api_trace_cbid, class)
#define MIGPROF_HOOKED_CALLS(X)                               \
  X(115, cuLaunch, kKernelLaunch)                             \
  X(116, cuLaunchGrid, kKernelLaunch)                         \
  X(117, cuLaunchGridAsync, kKernelLaunch)                    \
  X(307, cuLaunchKernel, kKernelLaunch)                       \
  X(442, cuLaunchKernel_ptsz, kKernelLaunch)                  \
  X(477, cuLaunchCooperativeKernel, kKernelLaunch)            \
  X(478, cuLaunchCooperativeKernel_ptsz, kKernelLaunch)       \
  X(480, cuLaunchCooperativeKernelMultiDevice, kKernelLaunch) \
  X(652, cuLaunchKernelEx, kKernelLaunch)                     \
  X(653, cuLaunchKernelEx_ptsz, kKernelLaunch)                \
  X(514, cuGraphLaunch, kGraphLaunch)                         \
  X(515, cuGraphLaunch_ptsz, kGraphLaunch)                    \
  X(248, cuMemcpy_v2, kMemcpy)                                \
  X(276, cuMemcpyHtoD_v2, kMemcpy)                            \
  X(277, cuMemcpyHtoDAsync_v2, kMemcpy)                       \
  X(278, cuMemcpyDtoH_v2, kMemcpy)                            \
  X(279, cuMemcpyDtoHAsync_v2, kMemcpy)                       \
  X(280, cuMemcpyDtoD_v2, kMemcpy)                            \
  X(281, cuMemcpyDtoDAsync_v2, kMemcpy)                       \
  X(282, cuMemcpyAtoH_v2, kMemcpy)                            \
  X(283, cuMemcpyAtoHAsync_v2, kMemcpy)                       \
  X(284, cuMemcpyAtoD_v2, kMemcpy)                            \
  X(285, cuMemcpyDtoA_v2, kMemcpy)                            \
  X(286, cuMemcpyAtoA_v2, kMemcpy)                            \
  X(287, cuMemcpy2D_v2, kMemcpy)                              \
  X(288, cuMemcpy2DUnaligned_v2, kMemcpy)                     \
  X(289, cuMemcpy2DAsync_v2, kMemcpy)                         \
  X(290, cuMemcpy3D_v2, kMemcpy)                              \
  X(291, cuMemcpy3DAsync_v2, kMemcpy)                         \
  X(292, cuMemcpyHtoA_v2, kMemcpy)                            \
  X(293, cuMemcpyHtoAAsync_v2, kMemcpy)                       \
  X(305, cuMemcpy, kMemcpy)                                   \
  X(306, cuMemcpyAsync, kMemcpy)                              \
  X(318, cuMemcpyPeer, kMemcpy)                               \
  X(319, cuMemcpyPeerAsync, kMemcpy)                          \
  X(320, cuMemcpy3DPeer, kMemcpy)                             \
  X(321, cuMemcpy3DPeerAsync, kMemcpy)                        \
  X(397, cuMemcpyHtoD_v2_ptds, kMemcpy)                       \
  X(398, cuMemcpyDtoH_v2_ptds, kMemcpy)                       \
  X(399, cuMemcpyDtoD_v2_ptds, kMemcpy)                       \
  X(400, cuMemcpyDtoA_v2_ptds, kMemcpy)                       \
  X(401, cuMemcpyAtoD_v2_ptds, kMemcpy)                       \
  X(402, cuMemcpyHtoA_v2_ptds, kMemcpy)                       \
  X(403, cuMemcpyAtoH_v2_ptds, kMemcpy)                       \
  X(404, cuMemcpyAtoA_v2_ptds, kMemcpy)                       \
  X(405, cuMemcpy2D_v2_ptds, kMemcpy)                         \
  X(406, cuMemcpy2DUnaligned_v2_ptds, kMemcpy)                \
  X(407, cuMemcpy3D_v2_ptds, kMemcpy)                         \
  X(408, cuMemcpy_ptds, kMemcpy)                              \
  X(409, cuMemcpyPeer_ptds, kMemcpy)                          \
  X(410, cuMemcpy3DPeer_ptds, kMemcpy)                        \
  X(418, cuMemcpyAsync_ptsz, kMemcpy)                         \
  X(419, cuMemcpyHtoAAsync_v2_ptsz, kMemcpy)                  \
  X(420, cuMemcpyAtoHAsync_v2_ptsz, kMemcpy)                  \
  X(421, cuMemcpyHtoDAsync_v2_ptsz, kMemcpy)                  \
  X(422, cuMemcpyDtoHAsync_v2_ptsz, kMemcpy)                  \
  X(423, cuMemcpyDtoDAsync_v2_ptsz, kMemcpy)                  \
  X(424, cuMemcpy2DAsync_v2_ptsz, kMemcpy)                    \
  X(425, cuMemcpy3DAsync_v2_ptsz, kMemcpy)                    \
  X(426, cuMemcpyPeerAsync_ptsz, kMemcpy)                     \
  X(427, cuMemcpy3DPeerAsync_ptsz, kMemcpy)                   \
  X(776, cuMemcpyBatchAsync, kMemcpy)                         \
  X(777, cuMemcpyBatchAsync_ptsz, kMemcpy)                    \
  X(778, cuMemcpy3DBatchAsync, kMemcpy)                       \
  X(779, cuMemcpy3DBatchAsync_ptsz, kMemcpy)                  \
  X(796, cuMemcpyBatchAsync_v2, kMemcpy)                      \
  X(797, cuMemcpyBatchAsync_v2_ptsz, kMemcpy)                 \
  X(798, cuMemcpy3DBatchAsync_v2, kMemcpy)                    \
  X(799, cuMemcpy3DBatchAsync_v2_ptsz, kMemcpy)               \
  X(216, cuMemsetD8Async, kMemset)                            \
  X(218, cuMemsetD16Async, kMemset)                           \
  X(220, cuMemsetD32Async, kMemset)                           \
  X(222, cuMemsetD2D8Async, kMemset)                          \
  X(224, cuMemsetD2D16Async, kMemset)                         \
  X(226, cuMemsetD2D32Async, kMemset)                         \
  X(249, cuMemsetD8_v2, kMemset)                              \
  X(250, cuMemsetD16_v2, kMemset)                             \
  X(251, cuMemsetD32_v2, kMemset)                             \
  X(252, cuMemsetD2D8_v2, kMemset)                            \
  X(253, cuMemsetD2D16_v2, kMemset)                           \
  X(254, cuMemsetD2D32_v2, kMemset)                           \
  X(411, cuMemsetD8_v2_ptds, kMemset)                         \
  X(412, cuMemsetD16_v2_ptds, kMemset)                        \
  X(413, cuMemsetD32_v2_ptds, kMemset)                        \
  X(414, cuMemsetD2D8_v2_ptds, kMemset)                       \
  X(415, cuMemsetD2D16_v2_ptds, kMemset)                      \
  X(416, cuMemsetD2D32_v2_ptds, kMemset)                      \
  X(428, cuMemsetD8Async_ptsz, kMemset)                       \
  X(429, cuMemsetD16Async_ptsz, kMemset)                      \
  X(430, cuMemsetD32Async_ptsz, kMemset)                      \
  X(431, cuMemsetD2D8Async_ptsz, kMemset)                     \
  X(432, cuMemsetD2D16Async_ptsz, kMemset)                    \
  X(433, cuMemsetD2D32Async_ptsz, kMemset)                    \
  X(37, cuMemAllocHost, kAllocate)                            \
  X(243, cuMemAlloc_v2, kAllocate)                            \
  X(244, cuMemAllocPitch_v2, kAllocate)                       \
  X(39, cuMemHostAlloc, kAllocate)                            \
  X(271, cuMemHostAlloc_v2, kAllocate)                        \
  X(294, cuMemAllocHost_v2, kAllocate)                        \
  X(371, cuMemAllocManaged, kAllocate)                        \
  X(598, cuMemAllocAsync, kAllocate)                          \
  X(599, cuMemAllocAsync_ptsz, kAllocate)                     \
  X(611, cuMemAllocFromPoolAsync, kAllocate)                  \
  X(612, cuMemAllocFromPoolAsync_ptsz, kAllocate)             \
  X(301, cuMemHostRegister, kAllocate)                        \
  X(379, cuMemHostRegister_v2, kAllocate)                     \
  X(549, cuMemCreate, kAllocate)                              \
  X(551, cuMemMap, kAllocate)                                 \
  X(607, cuMemPoolCreate, kAllocate)                          \
  X(38, cuMemFreeHost, kRelease)                              \
  X(245, cuMemFree_v2, kRelease)                              \
  X(600, cuMemFreeAsync, kRelease)                            \
  X(601, cuMemFreeAsync_ptsz, kRelease)                       \
  X(302, cuMemHostUnregister, kRelease)                       \
  X(550, cuMemRelease, kRelease)                              \
  X(552, cuMemUnmap, kRelease)                                \
  X(602, cuMemPoolTrimTo, kRelease)                           \
  X(608, cuMemPoolDestroy, kRelease)                          \
  X(17, cuCtxSynchronize, kSynchronize)                       \
  X(121, cuEventSynchronize, kSynchronize)                    \
  X(126, cuStreamSynchronize, kSynchronize)                   \
  X(440, cuStreamSynchronize_ptsz, kSynchronize)              \
  X(800, cuCtxSynchronize_v2, kSynchronize)                   \
  X(18, cuModuleLoad, kLoad)                                  \
  X(19, cuModuleLoadData, kLoad)                              \
  X(20, cuModuleLoadDataEx, kLoad)                            \
  X(21, cuModuleLoadFatBinary, kLoad)                         \
  X(23, cuModuleGetFunction, kLoad)                           \
  X(365, cuLinkComplete, kLoad)                               \
  X(678, cuLibraryLoadData, kLoad)                            \
  X(679, cuLibraryLoadFromFile, kLoad)                        \
  X(682, cuLibraryGetModule, kLoad)                           \
  X(742, cuFuncLoad, kLoad)

// Calls that make nodes of graphs, or copies of them; recorded when nodes are.
#define MIGPROF_GRAPH_CALLS(X)                                  \
  X(502, cuGraphAddKernelNode, kGraphConstruction)              \
  X(504, cuGraphAddMemcpyNode, kGraphConstruction)              \
  X(506, cuGraphAddMemsetNode, kGraphConstruction)              \
  X(513, cuGraphInstantiate, kGraphConstruction)                \
  X(523, cuGraphClone, kGraphConstruction)                      \
  X(525, cuGraphAddChildGraphNode, kGraphConstruction)          \
  X(530, cuGraphAddHostNode, kGraphConstruction)                \
  X(561, cuGraphExecUpdate, kGraphConstruction)                 \
  X(578, cuGraphInstantiate_v2, kGraphConstruction)             \
  X(638, cuGraphAddMemAllocNode, kGraphConstruction)            \
  X(639, cuGraphAddMemFreeNode, kGraphConstruction)             \
  X(643, cuGraphInstantiateWithFlags, kGraphConstruction)       \
  X(656, cuGraphInstantiateWithParams, kGraphConstruction)      \
  X(657, cuGraphInstantiateWithParams_ptsz, kGraphConstruction) \
  X(669, cuGraphAddBatchMemOpNode, kGraphConstruction)          \
  X(689, cuGraphAddKernelNode_v2, kGraphConstruction)           \
  X(696, cuGraphExecUpdate_v2, kGraphConstruction)              \
  X(712, cuGraphAddNode, kGraphConstruction)                    \
  X(723, cuGraphAddNode_v2, kGraphConstruction)

namespace migprof::record {

struct HookedCall {
  uint32_t callback_id;
  const char* name;
  format::CallClass call_class;
};

#define MIGPROF_HOOKED_CALL(id, name, call_class) {id, #name, format::CallClass::call_class},
inline constexpr HookedCall kHookedCalls[] = {MIGPROF_HOOKED_CALLS(MIGPROF_HOOKED_CALL)
                                                  MIGPROF_GRAPH_CALLS(MIGPROF_HOOKED_CALL)};
#undef MIGPROF_HOOKED_CALL

// The class of a recorded call; 0 for every other. Application threads ask at every node of a graph, so this is a
// table.
inline constexpr std::array<format::CallClass, 1024> kCallClasses = [] {
  std::array<format::CallClass, 1024> classes{};
  for (const HookedCall& call : kHookedCalls) classes[call.callback_id] = call.call_class;
  return classes;
}();
constexpr format::CallClass CallClassOf(uint32_t callback_id) {
  return callback_id < kCallClasses.size() ? kCallClasses[callback_id] : format::CallClass{};
}

// Whether a call makes its graph nodes as copies of others, whose sites they keep.
constexpr bool CopiesGraphNodes(uint32_t callback_id) {
  switch (callback_id) {
    case 513:  // cuGraphInstantiate
    case 523:  // cuGraphClone
    case 561:  // cuGraphExecUpdate
    case 578:  // cuGraphInstantiate_v2
    case 643:  // cuGraphInstantiateWithFlags
    case 656:  // cuGraphInstantiateWithParams
    case 657:  // cuGraphInstantiateWithParams_ptsz
    case 696:  // cuGraphExecUpdate_v2
      return true;
    default:
      return false;
  }
}

// cuGraphExecDestroy, cuGraphDestroy, cuGraphDestroyNode: not recorded as calls, but nodes go in them.
inline constexpr uint32_t kGraphDestroyCalls[] = {516, 517, 522};

// Whether the call builds a graph. Its stack is looked for whenever the graph runs.
constexpr bool BuildsGraph(uint32_t callback_id) {
  constexpr auto kBuilds = [] {
    std::array<bool, 1024> builds{};
    for (const HookedCall& call : kHookedCalls) {
      if (call.call_class == format::CallClass::kGraphConstruction) builds[call.callback_id] = true;
    }
    return builds;
  }();
  return callback_id < kBuilds.size() && kBuilds[callback_id];
}

// The name a user knows: without the suffixes of versions and of per-thread default streams.
std::string PublicName(const char* callback_name);

}  // namespace migprof::record

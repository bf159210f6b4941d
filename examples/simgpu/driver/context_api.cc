// SPDX-License-Identifier: Apache-2.0
// Contexts of a program's own making, and which one is current.
#include <algorithm>

#include "bodies.h"
#include "driver/clock.h"
#include "driver/context.h"
#include "driver/primary_context.h"
#include "driver/process.h"
#include "driver/stream.h"
#include "driver/synchronize.h"

namespace simgpu::driver::api {
namespace {

// What cuCtxGetApiVersion says of a context of each kind.
constexpr unsigned kVersionTwo = 3020;
constexpr unsigned kVersionNow = CUDA_VERSION;

constexpr unsigned kKnownFlags = CU_CTX_FLAGS_MASK;

CUresult Create(CUcontext* pctx, unsigned flags, CUdevice dev, unsigned version) {
  Device* const device = Process::Get().DeviceAt(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  if (pctx == nullptr || (flags & ~kKnownFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
  Context* const context = CreateContext(device, flags, version);
  PushContext(context);
  ReportContext(context);
  *pctx = HandleOf(context);
  return CUDA_SUCCESS;
}

// The context a call is about: the given one, or the current one for null.
CUresult ContextOrCurrent(CUcontext handle, Context** context) {
  *context = handle != nullptr ? FindContext(handle) : CurrentContext();
  if (*context != nullptr) return CUDA_SUCCESS;
  return handle != nullptr ? CUDA_ERROR_INVALID_CONTEXT : NoContextError();
}

size_t DefaultLimit(CUlimit limit) {
  switch (limit) {
    case CU_LIMIT_STACK_SIZE:
      return 1024;
    case CU_LIMIT_PRINTF_FIFO_SIZE:
      return 7 * 1024 * 1024;
    case CU_LIMIT_MALLOC_HEAP_SIZE:
      return 8 * 1024 * 1024;
    case CU_LIMIT_DEV_RUNTIME_PENDING_LAUNCH_COUNT:
      return 2048;
    case CU_LIMIT_MAX_L2_FETCH_GRANULARITY:
      return 64;
    default:
      return 0;
  }
}

}  // namespace

CUresult CtxCreate_v2(CUcontext* pctx, unsigned int flags, CUdevice dev) {
  return Create(pctx, flags, dev, kVersionTwo);
}

CUresult CtxCreate_v3(CUcontext* pctx, CUexecAffinityParam*, int numParams, unsigned int flags, CUdevice dev) {
  if (numParams != 0) return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
  return Create(pctx, flags, dev, kVersionNow);
}

CUresult CtxCreate_v4(CUcontext* pctx, CUctxCreateParams* ctxCreateParams, unsigned int flags, CUdevice dev) {
  if (ctxCreateParams != nullptr && ctxCreateParams->numExecAffinityParams != 0)
    return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
  return Create(pctx, flags, dev, kVersionNow);
}

CUresult CtxDestroy_v2(CUcontext ctx) {
  Context* const context = FindContext(ctx);
  if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (context->is_primary) return CUDA_ERROR_INVALID_CONTEXT;
  // Only this thread's stack can be put right; others find the context destroyed.
  if (CurrentContext() == context) PopContext();
  DestroyContext(context);
  return CUDA_SUCCESS;
}

CUresult CtxPushCurrent_v2(CUcontext ctx) {
  Context* const context = FindContext(ctx);
  if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  return PushContext(context) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult CtxPopCurrent_v2(CUcontext* pctx) {
  const CUcontext top = PopContext();
  if (top == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (pctx != nullptr) *pctx = top;
  return CUDA_SUCCESS;
}

CUresult CtxSetCurrent(CUcontext ctx) {
  Context* const context = FindContext(ctx);
  if (ctx != nullptr && context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  SetCurrentContext(context);
  return CUDA_SUCCESS;
}

CUresult CtxGetCurrent(CUcontext* pctx) {
  if (pctx == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *pctx = HandleOf(CurrentContext());
  return CUDA_SUCCESS;
}

CUresult CtxGetDevice(CUdevice* device) {
  if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  *device = static_cast<CUdevice>(context->device->ordinal);
  return CUDA_SUCCESS;
}

CUresult CtxGetDevice_v2(CUdevice* device, CUcontext ctx) {
  if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Context* context;
  if (const CUresult result = ContextOrCurrent(ctx, &context); result != CUDA_SUCCESS) return result;
  *device = static_cast<CUdevice>(context->device->ordinal);
  return CUDA_SUCCESS;
}

CUresult CtxGetId(CUcontext ctx, unsigned long long* ctxId) {
  if (ctxId == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Context* context;
  if (const CUresult result = ContextOrCurrent(ctx, &context); result != CUDA_SUCCESS) return result;
  *ctxId = context->id;
  return CUDA_SUCCESS;
}

CUresult CtxGetApiVersion(CUcontext ctx, unsigned int* version) {
  if (version == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Context* context;
  if (const CUresult result = ContextOrCurrent(ctx, &context); result != CUDA_SUCCESS) return result;
  *version = context->api_version;
  return CUDA_SUCCESS;
}

CUresult CtxGetFlags(unsigned int* flags) {
  if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  const std::lock_guard lock(context->mutex);
  *flags = context->flags;
  return CUDA_SUCCESS;
}

CUresult CtxSetFlags(unsigned int flags) {
  Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  if ((flags & ~kKnownFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(context->mutex);
  context->flags = flags;
  return CUDA_SUCCESS;
}

CUresult CtxSynchronize() {
  Context* const context = CurrentContext();
  return context != nullptr ? SynchronizeContext(context) : NoContextError();
}

CUresult CtxSynchronize_v2(CUcontext ctx) {
  Context* context;
  if (const CUresult result = ContextOrCurrent(ctx, &context); result != CUDA_SUCCESS) return result;
  return SynchronizeContext(context);
}

CUresult CtxGetLimit(size_t* pvalue, CUlimit limit) {
  if (pvalue == nullptr || limit >= CU_LIMIT_MAX) return CUDA_ERROR_INVALID_VALUE;
  Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  const std::lock_guard lock(context->mutex);
  const auto found = context->limit_values.find(limit);
  *pvalue = found != context->limit_values.end() ? found->second : DefaultLimit(limit);
  return CUDA_SUCCESS;
}

CUresult CtxSetLimit(CUlimit limit, size_t value) {
  if (limit >= CU_LIMIT_MAX) return CUDA_ERROR_UNSUPPORTED_LIMIT;
  Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  const std::lock_guard lock(context->mutex);
  context->limit_values[limit] = value;
  return CUDA_SUCCESS;
}

CUresult CtxGetCacheConfig(CUfunc_cache* pconfig) {
  if (pconfig == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  const std::lock_guard lock(context->mutex);
  *pconfig = context->cache_config;
  return CUDA_SUCCESS;
}

CUresult CtxSetCacheConfig(CUfunc_cache config) {
  Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  const std::lock_guard lock(context->mutex);
  context->cache_config = config;
  return CUDA_SUCCESS;
}

CUresult CtxGetSharedMemConfig(CUsharedconfig* pConfig) {
  if (pConfig == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *pConfig = CU_SHARED_MEM_CONFIG_FOUR_BYTE_BANK_SIZE;
  return CurrentContext() != nullptr ? CUDA_SUCCESS : NoContextError();
}

CUresult CtxSetSharedMemConfig(CUsharedconfig) { return CurrentContext() != nullptr ? CUDA_SUCCESS : NoContextError(); }

CUresult CtxGetStreamPriorityRange(int* leastPriority, int* greatestPriority) {
  if (CurrentContext() == nullptr) return NoContextError();
  if (leastPriority != nullptr) *leastPriority = kLowestPriority;
  if (greatestPriority != nullptr) *greatestPriority = kHighestPriority;
  return CUDA_SUCCESS;
}

CUresult CtxResetPersistingL2Cache() { return CurrentContext() != nullptr ? CUDA_SUCCESS : NoContextError(); }

CUresult CtxEnablePeerAccess(CUcontext peerContext, unsigned int Flags) {
  Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  Context* const peer = FindContext(peerContext);
  if (peer == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (Flags != 0) return CUDA_ERROR_INVALID_VALUE;
  if (context->device->ref.is_mig() || peer->device->ref.is_mig() || context->device == peer->device) {
    return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
  }
  const std::lock_guard lock(context->mutex);
  return context->peers.insert(peer).second ? CUDA_SUCCESS : CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
}

CUresult CtxDisablePeerAccess(CUcontext peerContext) {
  Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  const std::lock_guard lock(context->mutex);
  return context->peers.erase(FindContext(peerContext)) != 0 ? CUDA_SUCCESS : CUDA_ERROR_PEER_ACCESS_NOT_ENABLED;
}

}  // namespace simgpu::driver::api

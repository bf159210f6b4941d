// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/nvml_error.h"

#include "libmigprof/mig/nvml_api.h"

namespace migprof::mig {

std::string NvmlErrorText(int code) {
  switch (code) {
    case kNvmlSuccess:
      return "success";
    case kNvmlInvalidArgument:
      return "invalid argument";
    case kNvmlNotSupported:
      return "not supported";
    case kNvmlNoPermission:
      return "no permission";
    case kNvmlNotFound:
      return "not found";
    case kNvmlInsufficientSize:
      return "insufficient size";
    case kNvmlDriverNotLoaded:
      return "driver not loaded";
    case kNvmlFunctionNotFound:
      return "not in this driver's NVML";
    case kNvmlGpuIsLost:
      return "GPU is lost";
    case kNvmlResetRequired:
      return "GPU needs a reset";
    case kNvmlOperatingSystem:
      return "refused by the operating system";
    case kNvmlLibRmVersionMismatch:
      return "driver and library version mismatch";
    default:
      return "NVML error " + std::to_string(code);
  }
}

std::string ExplainNoDriver(int code) {
  switch (code) {
    case 0:
      return "There is no NVIDIA driver here: libnvidia-ml.so.1 was not found. Install the driver; in a container, "
             "start "
             "it with the GPU (docker run --gpus, a nvidia.com resource in Kubernetes).";
    case kNvmlDriverNotLoaded:
      return "The NVIDIA kernel module is not loaded. Load it (sudo modprobe nvidia), or reboot if the driver was just "
             "installed.";
    case kNvmlNoPermission:
      return "This user has no permission to ask the NVIDIA driver. Its device files must be readable and writable: "
             "see "
             "ls -l /dev/nvidia*, and who is in their group.";
    case kNvmlLibRmVersionMismatch:
      return "The NVIDIA library and the loaded kernel module have different versions, as after an update. Reboot, or "
             "unload and load the nvidia modules; then start containers anew.";
    case kNvmlGpuIsLost:
      return "A GPU is lost: it fell off the bus, or is not accessible otherwise. See the kernel log (dmesg | grep -i "
             "xid); reset the GPU or reboot.";
    case kNvmlOperatingSystem:
      return "The operating system refused the NVIDIA driver's library access to the GPUs. In a container, its device "
             "cgroup may have lost them: start it anew.";
    default:
      return "The NVIDIA driver cannot be asked (" + NvmlErrorText(code) +
             "). nvidia-smi should say the same; see also "
             "the kernel log (dmesg).";
  }
}

std::string ExplainNoGpu(int code, unsigned index) {
  const std::string gpu = std::to_string(index);
  switch (code) {
    case kNvmlGpuIsLost:
      return "It fell off the bus, or is not accessible otherwise. See the kernel log (dmesg | grep -i xid); then "
             "reset it "
             "(sudo nvidia-smi --gpu-reset -i " +
             gpu + ") or reboot.";
    case kNvmlResetRequired:
      return "It cannot be used before it is reset: sudo nvidia-smi --gpu-reset -i " + gpu + ".";
    case kNvmlNoPermission:
      return "This user or container has no permission for its device file: see ls -l /dev/nvidia*.";
    default:
      return "The driver knows it but cannot talk to it. nvidia-smi should say the same; see also the kernel log "
             "(dmesg).";
  }
}

}  // namespace migprof::mig

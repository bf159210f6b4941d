// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/cupti_api.h"

#include <dlfcn.h>
#include <link.h>

#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "libmigprof/base/clock.h"
#include "libmigprof/base/raw_log.h"

namespace migprof::record {
namespace {

template <typename Function>
bool Resolve(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

bool ResolveAll(void* library, CuptiApi* api) {
  Resolve(library, "cuptiSubscribe_v2", &api->subscribe_v2);
  Resolve(library, "cuptiGetCallbackState", &api->get_callback_state);
  return Resolve(library, "cuptiGetVersion", &api->get_version) &&
         Resolve(library, "cuptiGetResultString", &api->get_result_string) &&
         Resolve(library, "cuptiGetTimestamp", &api->get_timestamp) &&
         Resolve(library, "cuptiSubscribe", &api->subscribe) &&
         Resolve(library, "cuptiUnsubscribe", &api->unsubscribe) &&
         Resolve(library, "cuptiEnableCallback", &api->enable_callback) &&
         Resolve(library, "cuptiSetThreadIdType", &api->set_thread_id_type) &&
         Resolve(library, "cuptiGetContextId", &api->get_context_id) &&
         Resolve(library, "cuptiGetDeviceId", &api->get_device_id) &&
         Resolve(library, "cuptiGetGraphNodeId", &api->get_graph_node_id) &&
         Resolve(library, "cuptiActivityRegisterCallbacks", &api->activity_register_callbacks) &&
         Resolve(library, "cuptiActivityEnable", &api->activity_enable) &&
         Resolve(library, "cuptiActivityDisable", &api->activity_disable) &&
         Resolve(library, "cuptiActivityFlushAll", &api->activity_flush_all) &&
         Resolve(library, "cuptiActivityGetNextRecord", &api->activity_get_next_record) &&
         Resolve(library, "cuptiActivityGetNumDroppedRecords", &api->activity_get_num_dropped_records) &&
         Resolve(library, "cuptiActivitySetAttribute", &api->activity_set_attribute);
}

struct LoadedLibraries {
  std::string cupti;   // path of a loaded libcupti
  std::string cudart;  // path of a loaded libcudart
};

int NoteLibrary(dl_phdr_info* info, size_t, void* data) {
  auto* loaded = static_cast<LoadedLibraries*>(data);
  const std::string_view path = info->dlpi_name != nullptr ? info->dlpi_name : "";
  const std::string_view file = path.substr(path.rfind('/') + 1);
  if (file.starts_with("libcupti.so")) loaded->cupti = path;
  if (file.starts_with("libcudart.so")) loaded->cudart = path;
  return 0;
}

// Places to try for CUDA major version `major`, best first.
std::vector<std::string> Candidates(int major, const LoadedLibraries& loaded) {
  const std::string file = major == 11 ? "libcupti.so.11.8" : "libcupti.so." + std::to_string(major);
  std::vector<std::string> candidates = {file};
  // Python wheels: …/nvidia/cuda_runtime/lib/libcudart.so.12 beside …/nvidia/cuda_cupti/lib; CUDA 13 has one folder for
  // both.
  if (const size_t slash = loaded.cudart.rfind('/'); slash != std::string::npos) {
    const std::string folder = loaded.cudart.substr(0, slash);
    candidates.push_back(folder + "/" + file);
    candidates.push_back(folder + "/../../cuda_cupti/lib/" + file);
    candidates.push_back(folder + "/../extras/CUPTI/lib64/" + file);
  }
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
    if (const char* root = std::getenv(variable)) {
      candidates.push_back(std::string(root) + "/extras/CUPTI/lib64/" + file);
      candidates.push_back(std::string(root) + "/lib64/" + file);
    }
  }
  for (const std::string& root : {std::string("/usr/local/cuda"), "/usr/local/cuda-" + std::to_string(major)}) {
    candidates.push_back(root + "/extras/CUPTI/lib64/" + file);
    candidates.push_back(root + "/lib64/" + file);
#if defined(__aarch64__)
    candidates.push_back(root + "/targets/sbsa-linux/lib/" + file);
#else
    candidates.push_back(root + "/targets/x86_64-linux/lib/" + file);
#endif
  }
  return candidates;
}

void* OpenCupti(const char* preferred_path, int driver_version, std::string* path) {
  LoadedLibraries loaded;
  dl_iterate_phdr(NoteLibrary, &loaded);
  if (!loaded.cupti.empty()) {
    // The application's own copy: two CUPTIs in one process do not see each other and fight over the driver.
    *path = loaded.cupti;
    return dlopen(loaded.cupti.c_str(), RTLD_NOW | RTLD_LOCAL);
  }
  if (*preferred_path != '\0') {
    *path = preferred_path;
    return dlopen(preferred_path, RTLD_NOW | RTLD_LOCAL);
  }
  // A CUPTI newer than the driver fails in every call, an older one works.
  const int newest = driver_version != 0 ? driver_version / 1000 : 13;
  for (int major = newest; major >= 11; --major) {
    for (const std::string& candidate : Candidates(major, loaded)) {
      if (void* library = dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL)) {
        *path = candidate;
        return library;
      }
    }
  }
  return nullptr;
}

}  // namespace

uint64_t CuptiApi::Now() const {
  uint64_t now_ns = 0;
  if (get_timestamp(&now_ns) == CUPTI_SUCCESS && now_ns != 0) [[likely]]
    return now_ns;
  return RealtimeNs() + ahead_of_realtime_ns;
}

Error LoadCupti(const char* preferred_path, int driver_version, CuptiApi* api) {
  void* const library = OpenCupti(preferred_path, driver_version, &api->path);
  if (library == nullptr) {
    if (*preferred_path != '\0') return {"the library named by MIGPROF_CUPTI cannot be loaded", 0};
    return {"libcupti was not found; set MIGPROF_CUPTI to the libcupti.so of your CUDA toolkit", 0};
  }
  if (!ResolveAll(library, api)) return {"libcupti lacks functions that CUPTI 11.8 has", 0};
  api->get_version(&api->version);
  api->ahead_of_realtime_ns = api->Now() - RealtimeNs();
  // The name as loaded may be a bare soname; the loader knows the file.
  link_map* map = nullptr;
  if (dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 && map != nullptr && map->l_name != nullptr && *map->l_name != '\0') {
    api->path = map->l_name;
  }
  LogDebug("using %s, API version %u", api->path.c_str(), api->version);
  return Error::None();
}

const char* ResultName(const CuptiApi& api, CUptiResult result) {
  const char* name = nullptr;
  if (api.get_result_string == nullptr || api.get_result_string(result, &name) != CUPTI_SUCCESS || name == nullptr) {
    return "unknown CUPTI error";
  }
  return name;
}

}  // namespace migprof::record

// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/card_map.h"

#include <algorithm>
#include <utility>

#include "libmigprof/mig/profile_name.h"

namespace migprof::render {
namespace {

using analyze::SliceProfile;

// Compute slices of a card: 4 of an A30, 7 of every other that can be cut.
uint32_t UnitsOf(const std::string& gpu_name) { return gpu_name.find("A30") != std::string::npos ? 4 : 7; }

MapGpu* FindGpu(const SliceProfile& slice, std::vector<MapHost>* hosts) {
  auto host = std::find_if(hosts->begin(), hosts->end(), [&](const MapHost& h) { return h.name == slice.host; });
  if (host == hosts->end()) host = hosts->insert(hosts->end(), MapHost{slice.host, {}});
  const mig::SliceIdentity& identity = slice.identity;
  const auto is_same = [&](const MapGpu& gpu) {
    return gpu.uuid == identity.gpu_uuid && gpu.name == identity.gpu_name;
  };
  auto gpu = std::find_if(host->gpus.begin(), host->gpus.end(), is_same);
  if (gpu == host->gpus.end()) {
    gpu = host->gpus.insert(gpu, MapGpu{});
    gpu->name = identity.gpu_name;
    gpu->uuid = identity.gpu_uuid;
    gpu->units = UnitsOf(identity.gpu_name);
  }
  return &*gpu;
}

void Place(const SliceProfile& slice, size_t index, MapGpu* gpu) {
  const mig::SliceIdentity& identity = slice.identity;
  gpu->is_mig |= identity.is_mig();
  if (!identity.is_mig()) {
    gpu->instances.push_back(
        {.gpu_instance_id = {}, .placement = {}, .units = gpu->units, .slices = {{index, gpu->units}}});
    return;
  }
  const auto profile = mig::ParseProfileName(identity.profile);
  const uint32_t gpu_slices = profile ? std::min(profile->gpu_slices, gpu->units) : 1;
  const uint32_t compute_slices = profile ? std::min(profile->compute_slices, gpu_slices) : 1;
  auto instance = std::find_if(gpu->instances.begin(), gpu->instances.end(), [&](const MapInstance& i) {
    return identity.gpu_instance_id.has_value() && i.gpu_instance_id == identity.gpu_instance_id &&
           i.units == gpu_slices && i.placement == identity.placement;
  });
  if (instance == gpu->instances.end()) {
    instance = gpu->instances.insert(instance, {.gpu_instance_id = identity.gpu_instance_id,
                                                .placement = identity.placement,
                                                .units = gpu_slices,
                                                .slices = {}});
  }
  instance->slices.push_back({index, compute_slices});
}

void CountFree(MapGpu* gpu) {
  uint32_t used = 0;
  for (MapInstance& instance : gpu->instances) {
    uint32_t inside = 0;
    for (const MapSlice& slice : instance.slices) inside += slice.units;
    instance.free_units = instance.units > inside ? instance.units - inside : 0;
    gpu->overlap |= inside > instance.units;
    used += instance.units;
  }
  gpu->overlap |= used > gpu->units;
  gpu->free_units = gpu->units > used ? gpu->units - used : 0;
}

// Puts the instances where they lie, if that is known of all of them and they lay there at one time. `grid`: the most
// memory slices that any trace says the GPU has.
void PutInPlace(uint32_t grid, MapGpu* gpu) {
  if (!gpu->is_mig || grid == 0 || gpu->instances.empty()) return;
  const auto has_place = [&](const MapInstance& i) {
    return i.placement && i.placement->size != 0 && i.placement->start < grid &&
           i.placement->size <= grid - i.placement->start;
  };
  if (!std::all_of(gpu->instances.begin(), gpu->instances.end(), has_place)) return;
  std::stable_sort(gpu->instances.begin(), gpu->instances.end(),
                   [](const MapInstance& a, const MapInstance& b) { return a.placement->start < b.placement->start; });
  uint32_t end = 0;
  for (const MapInstance& instance : gpu->instances) {
    gpu->overlap |= instance.placement->start < end;
    end = std::max(end, instance.placement->start + instance.placement->size);
  }
  if (!gpu->overlap) gpu->memory_slices = grid;
}

uint32_t GridOf(const analyze::Profile& profile, const MapGpu& gpu) {
  uint32_t grid = 0;
  for (const MapInstance& instance : gpu.instances) {
    for (const MapSlice& slice : instance.slices) {
      grid = std::max(grid, profile.slices[slice.slice].identity.memory_slices);
    }
  }
  return grid;
}

}  // namespace

std::vector<MapHost> LayOutCards(const analyze::Profile& profile) {
  std::vector<MapHost> hosts;
  for (size_t i = 0; i < profile.slices.size(); ++i) {
    Place(profile.slices[i], i, FindGpu(profile.slices[i], &hosts));
  }
  for (MapHost& host : hosts) {
    for (MapGpu& gpu : host.gpus) {
      CountFree(&gpu);
      PutInPlace(GridOf(profile, gpu), &gpu);
    }
  }
  return hosts;
}

}  // namespace migprof::render

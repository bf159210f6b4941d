// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/workload.h"

#include <algorithm>

namespace migprof::mig {
namespace {

constexpr size_t kContainerIdDigits = 64;
constexpr size_t kLeastPodUidDigits = 32;

bool IsHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

size_t HexRun(std::string_view text) {
  const auto end = std::find_if_not(text.begin(), text.end(), IsHex);
  return static_cast<size_t>(end - text.begin());
}

// "pod" and a UID, whose hyphens systemd writes as underscores.
std::string PodUid(std::string_view part) {
  for (size_t at = part.find("pod"); at != std::string_view::npos; at = part.find("pod", at + 1)) {
    std::string uid;
    for (const char c : part.substr(at + 3)) {
      if (!IsHex(c) && c != '_' && c != '-') break;
      uid += c == '_' ? '-' : c;
    }
    if (uid.size() >= kLeastPodUidDigits) return uid;
  }
  return "";
}

// The digits of "<id>", "docker-<id>.scope", "cri-containerd-<id>.scope", ….
std::string ContainerId(std::string_view part) {
  for (size_t at = 0; at < part.size();) {
    const size_t run = HexRun(part.substr(at));
    if (run == kContainerIdDigits) return std::string(part.substr(at, run));
    at += run + 1;
  }
  return "";
}

std::string After(std::string_view part, std::string_view prefix) {
  return part.starts_with(prefix) && part.size() > prefix.size() ? std::string(part.substr(prefix.size())) : "";
}

// Keeps the innermost of each: a container may hold others.
void ReadPath(std::string_view path, Workload* workload) {
  bool in_slurm = false;
  for (size_t start = 0; start < path.size();) {
    const size_t end = std::min(path.find('/', start), path.size());
    const std::string_view part = path.substr(start, end - start);
    start = end + 1;
    if (std::string pod = PodUid(part); !pod.empty()) workload->pod_uid = std::move(pod);
    if (std::string id = ContainerId(part); !id.empty()) workload->container_id = std::move(id);
    in_slurm = in_slurm || part.find("slurm") != std::string_view::npos;
    if (!in_slurm) continue;
    if (std::string job = After(part, "job_"); !job.empty()) workload->slurm_job_id = std::move(job);
    if (std::string step = After(part, "step_"); !step.empty()) workload->slurm_step = std::move(step);
  }
}

}  // namespace

Workload ParseCgroups(std::string_view text) {
  Workload workload;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    // "<hierarchy>:<controllers>:<path>"
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second != std::string_view::npos) ReadPath(line.substr(second + 1), &workload);
  }
  return workload;
}

}  // namespace migprof::mig

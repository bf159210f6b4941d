// SPDX-License-Identifier: Apache-2.0
// What Kubernetes calls the pod and the container of a process.
#pragma once

#include <string>

#include "libmigprof/mig/workload.h"

namespace migprof::mig {

// Adds pod, namespace and container to a workload with a pod UID, as far as they can be read from `process_folder`
// ("/proc/<pid>"): the container from the mounts that the kubelet makes, the others from files in the container, which
// needs root or the same user. Nothing outside of the container is ever read, whatever links lie in it; but who is root
// in the container can change what they say.
void AddPodNames(const std::string& process_folder, Workload* workload);

// The container of "…/pods/<uid>/containers/<name>/…" in the text of /proc/<pid>/mountinfo; empty where there is none.
std::string ContainerOfMounts(std::string_view mountinfo, const std::string& pod_uid);

}  // namespace migprof::mig

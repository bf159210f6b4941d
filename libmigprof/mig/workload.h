// SPDX-License-Identifier: Apache-2.0
// Whose process it is: the pod, container or Slurm job, from its control groups.
#pragma once

#include <string>
#include <string_view>

namespace migprof::mig {

// Empty where there is none.
struct Workload {
  std::string pod_uid;   // Kubernetes: "8-4-4-4-12", or 32 digits for a static pod
  std::string pod_name;  // these three from elsewhere than the control groups: see pod_names.h
  std::string pod_namespace;
  std::string container_name;
  std::string container_id;  // 64 hexadecimal digits
  std::string slurm_job_id;
  std::string slurm_step;  // "0", "batch", "extern", …

  bool empty() const { return pod_uid.empty() && container_id.empty() && slurm_job_id.empty(); }
};

// Reads the text of /proc/<pid>/cgroup, of either version of control groups. A process that sees its own groups from
// inside of a container has a text that says nothing: the result is empty.
Workload ParseCgroups(std::string_view text);

}  // namespace migprof::mig

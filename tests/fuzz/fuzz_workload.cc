// SPDX-License-Identifier: Apache-2.0
// What /proc says of a process: control groups, mounts, name and command line. All of it can be written by whoever owns
// the process.
#include <algorithm>
#include <cstdint>
#include <string>

#include "libmigprof/mig/cached_process_names.h"
#include "libmigprof/mig/pod_names.h"
#include "libmigprof/mig/process_names.h"
#include "libmigprof/mig/workload.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/scratch.h"

namespace {

using namespace migprof::mig;

constexpr char kHex[] = "0123456789abcdef";
constexpr char kNameCharacters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

bool ConsistsOf(const std::string& text, const std::string& allowed) {
  return text.find_first_not_of(allowed) == std::string::npos;
}

bool IsSame(const Workload& a, const Workload& b) {
  return a.pod_uid == b.pod_uid && a.container_id == b.container_id && a.container_name == b.container_name &&
         a.slurm_job_id == b.slurm_job_id && a.slurm_step == b.slurm_step;
}

void CheckWorkload(const Workload& workload) {
  Check(workload.pod_uid.empty() || workload.pod_uid.size() >= 32, "a pod's UID has its digits");
  Check(ConsistsOf(workload.pod_uid, std::string(kHex) + "-"), "a pod's UID has nothing but digits and hyphens");
  Check(workload.container_id.empty() || workload.container_id.size() == 64, "a container's id has its digits");
  Check(ConsistsOf(workload.container_id, kHex), "a container's id has nothing but digits");
  for (const std::string* text : {&workload.slurm_job_id, &workload.slurm_step}) {
    Check(text->find_first_of("/\n") == std::string::npos, "a part of a path is one part of one line");
  }
}

void UseCgroups(const std::string& text) {
  const Workload workload = ParseCgroups(text);
  CheckWorkload(workload);
  Check(IsSame(ParseCgroups(text + "\n" + text), workload), "saying it twice changes nothing");
  Check(IsSame(ParseCgroups("0::/\n" + text), workload), "a line that says nothing changes nothing");
}

void UseMounts(const std::string& text, const std::string& made_name) {
  const std::string uid = "12345678-9abc-4def-8123-456789abcdef";
  const std::string container = ContainerOfMounts(text, uid);
  Check(container.size() <= 253 && ConsistsOf(container, kNameCharacters), "a container's name is one");
  const std::string mounts =
      "36 35 98:0 /var/lib/kubelet/pods/" + uid + "/containers/" + made_name + "/5f2c /dev/log rw\n";
  const bool is_name = !made_name.empty() && made_name.size() <= 253 && ConsistsOf(made_name, kNameCharacters);
  const std::string found = ContainerOfMounts(mounts, uid);
  if (is_name) Check(found == made_name, "every name is found where the kubelet puts it");
  Check(made_name.starts_with(found), "and nothing is found that is not there");
}

void UseProcess(FuzzInput* input) {
  const std::string proc = ScratchFolder();
  const std::string folder = proc + "/1234";
  std::filesystem::create_directory(folder);
  const std::string cgroup(input->ShortText());
  WriteScratch(folder + "/cgroup", cgroup);
  WriteScratch(folder + "/comm", input->ShortText());
  WriteScratch(folder + "/mountinfo", input->ShortText());
  WriteScratch(folder + "/maps",
               input->Bool() ? "7f00-7f01 r-xp 00000000 08:01 1 /usr/lib/libcuda.so.1\n" : input->ShortText());
  WriteScratch(folder + "/cmdline", input->Rest());
  GpuProcess process;
  process.pid = 1234;
  ProcessNames(proc).Describe(&process);
  CheckWorkload(process.workload);
  Check(process.name.find('\n') == std::string::npos, "a process' name is one line");
  Check(process.command_line.find('\0') == std::string::npos, "a command line has no zero byte");
  Check(process.name.empty() || IsSame(ParseCgroups(cgroup),
                                       [&] {
                                         Workload workload = process.workload;
                                         workload.container_name.clear();  // comes from the mounts
                                         return workload;
                                       }()),
        "a process' control groups are read from its file");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  UseCgroups(text);
  FuzzInput input(data, size);
  UseMounts(text, std::string(input.ShortText()));
  FuzzInput process(data, size);
  UseProcess(&process);
  return 0;
}

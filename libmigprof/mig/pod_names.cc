// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/pod_names.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <string_view>

namespace migprof::mig {
namespace {

constexpr size_t kMostNameBytes = 253;  // of a name in Kubernetes

bool IsName(std::string_view text) {
  const auto is_allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
           c == '_';
  };
  return !text.empty() && text.size() <= kMostNameBytes && std::all_of(text.begin(), text.end(), is_allowed);
}

constexpr int kForReading = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

// As openat, but follows no link at all.
int OpenWithoutLinks(int root, std::string_view path) {
  int folder = dup(root);
  while (folder >= 0) {
    const size_t slash = path.find('/');
    const bool is_last = slash == std::string_view::npos;
    const std::string name(path.substr(0, slash));
    const int next =
        openat(folder, name.c_str(), (is_last ? kForReading : O_PATH | O_DIRECTORY | O_CLOEXEC) | O_NOFOLLOW);
    close(folder);
    if (is_last) return next;
    folder = next;
    path.remove_prefix(slash + 1);
  }
  return -1;
}

// Links are followed inside of the container only: it could have one to a file of the host. Where the kernel (before
// 5.6) cannot see to that, none is.
int OpenInside(int root, const char* path) {
  open_how how{};
  how.flags = kForReading;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const int file = static_cast<int>(syscall(SYS_openat2, root, path, &how, sizeof(how)));
  return file < 0 && errno == ENOSYS ? OpenWithoutLinks(root, path) : file;
}

// The first line of a file in the container, if it is a name.
std::string NameInFile(int root, const char* path) {
  const int file = OpenInside(root, path);
  if (file < 0) return "";
  struct stat status {};
  char text[kMostNameBytes + 2];
  ssize_t length = 0;
  if (fstat(file, &status) == 0 && S_ISREG(status.st_mode)) length = read(file, text, sizeof(text));
  close(file);
  std::string_view line(text, static_cast<size_t>(std::max<ssize_t>(length, 0)));
  line = line.substr(0, line.find('\n'));
  return IsName(line) ? std::string(line) : "";
}

}  // namespace

std::string ContainerOfMounts(std::string_view mountinfo, const std::string& pod_uid) {
  const std::string marker = "/pods/" + pod_uid + "/containers/";
  const size_t at = mountinfo.find(marker);
  if (at == std::string_view::npos) return "";
  const std::string_view rest = mountinfo.substr(at + marker.size());
  const std::string_view name = rest.substr(0, rest.find_first_of("/ \n"));
  return IsName(name) ? std::string(name) : "";
}

void AddPodNames(const std::string& process_folder, Workload* workload) {
  if (workload->pod_uid.empty()) return;
  std::ifstream mounts(process_folder + "/mountinfo");
  std::ostringstream text;
  text << mounts.rdbuf();
  workload->container_name = ContainerOfMounts(text.str(), workload->pod_uid);
  const int root = open((process_folder + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return;
  workload->pod_namespace = NameInFile(root, "var/run/secrets/kubernetes.io/serviceaccount/namespace");
  // The name of the pod is its host name, unless it runs with the host's; then it has no file of its own from the
  // kubelet, and the name would be that of the node.
  struct stat own {};
  struct stat other {};
  const bool has_own_hostname = stat("/proc/self/ns/uts", &own) == 0 &&
                                stat((process_folder + "/ns/uts").c_str(), &other) == 0 && own.st_ino != other.st_ino;
  if (has_own_hostname) workload->pod_name = NameInFile(root, "etc/hostname");
  close(root);
}

}  // namespace migprof::mig

// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/base/foreign_link.h"

#include <sys/stat.h>
#include <unistd.h>

namespace migprof {

bool HasForeignLink(const std::string& path) {
  std::string folder = path.empty() || path[0] != '/' ? "." : "/";
  for (size_t at = 0; at < path.size();) {
    const size_t slash = path.find('/', at);
    const size_t end = slash == std::string::npos ? path.size() : slash;
    if (end > at) {
      const std::string part = path.substr(0, end);
      struct stat link;
      struct stat around;
      if (lstat(part.c_str(), &link) != 0) return false;
      if (S_ISLNK(link.st_mode) && link.st_uid != geteuid() && link.st_uid != 0 && stat(folder.c_str(), &around) == 0 &&
          (around.st_mode & S_IWOTH) != 0 && link.st_uid != around.st_uid) {
        return true;
      }
      folder = part;
    }
    at = end + 1;
  }
  return false;
}

}  // namespace migprof

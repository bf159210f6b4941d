// SPDX-License-Identifier: Apache-2.0
// Links that somebody else may have planted.
#pragma once

#include <string>

namespace migprof {

// Whether `path`, or a folder on the way to it, is a symbolic link that neither the user of this process nor root nor
// the owner of the folder it stands in has made, in a folder that everybody may write to. The rule of
// fs.protected_symlinks, which not every kernel has switched on. False for what does not exist.
bool HasForeignLink(const std::string& path);

}  // namespace migprof

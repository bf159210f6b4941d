// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4), for content security policies: what may run in a page is named by its digest.
#pragma once

#include <string>
#include <string_view>

namespace migprof::render {

// The digest in base64, as a policy wants it: "'sha256-" + Sha256Base64(script) + "'".
std::string Sha256Base64(std::string_view text);

}  // namespace migprof::render

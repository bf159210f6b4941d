// SPDX-License-Identifier: Apache-2.0
// report.html: everything about a profile in one HTML file that needs no network and opens from disk.
#pragma once

#include <cstddef>
#include <ostream>

#include "libmigprof/analyze/profile.h"

namespace migprof::render {

struct ReportOptions {
  // Of the whole file. Flamegraphs are thinned out until they fit; what that leaves out is said in the report.
  size_t max_bytes = 5'000'000;
  // Parts of a page of their own; of more slices than that, those with most time lost have one.
  size_t max_details = 100;
};

// What is said and what is drawn stands in the HTML itself; the script adds flamegraphs, and shows one slice at a time.
// A content security policy lets run nothing but that script, and load nothing.
void WriteReportHtml(const analyze::Profile& profile, const ReportOptions& options, std::ostream& out);

}  // namespace migprof::render

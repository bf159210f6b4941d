// SPDX-License-Identifier: Apache-2.0
// The files of viewer/, embedded at build time (embed_viewer.cmake) without their comments and
// indentation. All may stand in a CDATA section and in an HTML script or style element.
#pragma once

#include <string_view>

namespace migprof::render {

// For a page that shows flamegraphs: these two styles, the script, then
// migprofViewer.mount(element, EncodeTree(…)).
extern const std::string_view kPaletteStyle;  // colours of frames
extern const std::string_view kViewerStyle;
extern const std::string_view kViewerScript;

// What only the SVG file needs.
extern const std::string_view kStaticStyle;
extern const std::string_view kSvgShellScript;

// The report: all of the viewer and the page around it.
extern const std::string_view kReportStyle;
extern const std::string_view kReportScript;

// summary.schema.json.
extern const std::string_view kSummarySchema;

// slices.schema.json.
extern const std::string_view kSlicesSchema;

// top.schema.json.
extern const std::string_view kTopSchema;

}  // namespace migprof::render

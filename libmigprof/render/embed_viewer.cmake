# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE=<render folder> -DOUTPUT=<file.cc> -DSCRIPTS=<a.js,b.js,…> -DREPORT=<c.css,d.js,…> -P embed_viewer.cmake
#
# Writes the definitions of viewer_assets.h. Lines that hold only a comment, and indentation, stay behind:
# the files are copied into every picture.
cmake_minimum_required(VERSION 3.22)

function(append_asset name)
  set(text "")
  foreach(file IN LISTS ARGN)
    file(READ ${SOURCE}/${file} content)
    if(file MATCHES "\\.(js|css)$")
      string(REGEX REPLACE "\n[ ]*//[^\n]*" "" content "\n${content}")
      string(REGEX REPLACE "\n[ ]*/\\*[^\n]*\\*/" "" content "${content}")
      string(REGEX REPLACE "\n[ \n]+" "\n" content "${content}")
      string(REGEX REPLACE "^\n+" "" content "${content}")
    endif()
    # The first would end a CDATA section, the others an HTML script, style or text.
    foreach(forbidden "]]>" "</s" "<!--" ")migprof\"")
      string(FIND "${content}" "${forbidden}" position)
      if(NOT position EQUAL -1)
        message(FATAL_ERROR "${file}: ${forbidden} must not occur in it")
      endif()
    endforeach()
    string(APPEND text "${content}")
  endforeach()
  set(definitions "${definitions}\nconst std::string_view ${name} = R\"migprof(${text})migprof\";\n" PARENT_SCOPE)
endfunction()

string(REPLACE "," ";" scripts "${SCRIPTS}")
list(TRANSFORM scripts PREPEND viewer/)
set(definitions "")
append_asset(kPaletteStyle viewer/palette.css)
append_asset(kViewerStyle viewer/viewer.css)
append_asset(kStaticStyle viewer/static.css)
append_asset(kViewerScript ${scripts})
append_asset(kSvgShellScript viewer/svg_shell.js)
string(REPLACE "," ";" report "${REPORT}")
list(TRANSFORM report PREPEND viewer/report/)
set(report_styles ${report})
list(FILTER report_styles INCLUDE REGEX "css$")
list(FILTER report EXCLUDE REGEX "css$")
append_asset(kReportStyle viewer/palette.css viewer/viewer.css ${report_styles})
append_asset(kReportScript ${scripts} ${report})
append_asset(kSummarySchema summary.schema.json)
append_asset(kSlicesSchema slices.schema.json)
append_asset(kTopSchema top.schema.json)
file(WRITE ${OUTPUT} "// Made by embed_viewer.cmake.
#include \"libmigprof/render/viewer_assets.h\"

namespace migprof::render {
${definitions}
}  // namespace migprof::render
")

// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/dwarf_names.h"

#include <dwarf.h>

#include "absl/strings/str_cat.h"

namespace migprof::analyze {
namespace {

constexpr int kDeepestScope = 64;
constexpr int kLongestChain = 16;  // of references from a function to its declaration

// Only what is linked under another name than its own has one of these.
const char* LinkageName(Dwarf_Die* die) {
  Dwarf_Attribute attribute;
  for (const unsigned name : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name}) {
    if (dwarf_attr_integrate(die, name, &attribute) != nullptr) return dwarf_formstring(&attribute);
  }
  return nullptr;
}

// The declaration behind a function or an inlined copy of it.
Dwarf_Die DeclarationOf(Dwarf_Die die) {
  for (int i = 0; i < kLongestChain; ++i) {
    Dwarf_Attribute attribute;
    Dwarf_Die origin;
    if (dwarf_attr(&die, DW_AT_abstract_origin, &attribute) == nullptr &&
        dwarf_attr(&die, DW_AT_specification, &attribute) == nullptr) {
      break;
    }
    if (dwarf_formref_die(&attribute, &origin) == nullptr) break;
    die = origin;
  }
  return die;
}

}  // namespace

std::string DwarfNames::FunctionName(Dwarf_Die* die) {
  const char* const linkage = LinkageName(die);
  if (linkage != nullptr && *linkage != '\0') return linkage;
  Dwarf_Die declaration = DeclarationOf(*die);
  const char* const name = dwarf_diename(&declaration);
  if (name == nullptr) return "";
  Dwarf_Die unit;
  if (dwarf_diecu(&declaration, &unit, nullptr, nullptr) == nullptr) return name;
  const Scopes& scopes = ScopesOf(&unit);
  const auto scope = scopes.find(dwarf_dieoffset(&declaration));
  return scope != scopes.end() ? absl::StrCat(scope->second, name) : name;
}

const DwarfNames::Scopes& DwarfNames::ScopesOf(Dwarf_Die* unit) {
  const auto [entry, is_new] = units_.try_emplace(dwarf_dieoffset(unit));
  if (is_new) CollectScopes(unit, "", 0, &entry->second);
  return entry->second;
}

void DwarfNames::CollectScopes(Dwarf_Die* parent, const std::string& scope, int depth, Scopes* scopes) {
  Dwarf_Die child;
  if (depth > kDeepestScope || dwarf_child(parent, &child) != 0) return;
  do {
    switch (dwarf_tag(&child)) {
      case DW_TAG_subprogram: {
        if (!scope.empty()) scopes->emplace(dwarf_dieoffset(&child), scope);
        // Classes of lambdas stand inside the function that has them.
        // A function that is declared in a class or namespace and defined outside of it belongs to where it is
        // declared.
        const char* const name = dwarf_diename(&child);
        Dwarf_Die declaration = DeclarationOf(child);
        const auto declared = scopes->find(dwarf_dieoffset(&declaration));
        const std::string outer = declared != scopes->end() ? declared->second : scope;
        if (name != nullptr) CollectScopes(&child, absl::StrCat(outer, name, "::"), depth + 1, scopes);
        break;
      }
      case DW_TAG_lexical_block:
        CollectScopes(&child, scope, depth + 1, scopes);
        break;
      case DW_TAG_namespace:
      case DW_TAG_class_type:
      case DW_TAG_structure_type:
      case DW_TAG_union_type: {
        const char* const name = dwarf_diename(&child);
        CollectScopes(&child, absl::StrCat(scope, name != nullptr ? name : "(anonymous namespace)", "::"), depth + 1,
                      scopes);
        break;
      }
      default:
        break;
    }
  } while (dwarf_siblingof(&child, &child) == 0);
}

}  // namespace migprof::analyze

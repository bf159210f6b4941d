# SPDX-License-Identifier: Apache-2.0
"""Reads the functions that a C header of the CUDA toolkit declares."""

import collections
import re
import subprocess

Parameter = collections.namedtuple("Parameter", "type name")
Function = collections.namedtuple("Function", "result name parameters")


def preprocess(compiler, include_dirs, header, defines):
    """The text of `header` with all macros expanded, comments gone."""
    command = [compiler, "-E", "-P", "-w", "-x", "c++", "-include", header, "/dev/null"]
    command += ["-I" + directory for directory in include_dirs]
    command += ["-D" + define for define in defines]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def split_parameters(text):
    """Splits at commas that are outside parentheses."""
    parts, depth, current = [], 0, ""
    for character in text:
        if character == "," and depth == 0:
            parts.append(current)
            current = ""
            continue
        depth += {"(": 1, ")": -1}.get(character, 0)
        current += character
    parts.append(current)
    return [part.strip() for part in parts if part.strip() not in ("", "void")]


def parse_parameter(text):
    text = re.sub(r"\s+", " ", text.split("=")[0]).strip()
    name = re.search(r"(\w+)\s*(\[\w*\])?$", text)
    type_text = text[: name.start(1)].strip()
    return Parameter(type_text + (" *" if name.group(2) else ""), name.group(1))


def functions(text, result, prefix):
    """Every function `result prefix…(…)` that `text` declares, by name."""
    pattern = re.compile(r"\b" + re.escape(result) + r"\s+(" + prefix + r"\w+)\s*\(([^;{}]*)\)\s*;")
    found = {}
    for match in pattern.finditer(text):
        name = match.group(1)
        parameters = [parse_parameter(part) for part in split_parameters(match.group(2))]
        found.setdefault(name, Function(result, name, parameters))
    return found


def enumerators(text, prefix):
    """The names of all enumerators that start with `prefix`, mapped to their values."""
    pattern = re.compile(r"\b" + prefix + r"(\w+)\s*=\s*(0[xX][0-9a-fA-F]+|\d+)")
    return {match.group(1): int(match.group(2), 0) for match in pattern.finditer(text)}


def structs(text):
    """The names of all `typedef struct … name;` that hold the parameters of one function."""
    return set(re.findall(r"}\s*(\w+_params)\s*;", text))

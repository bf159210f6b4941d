#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_files.py PICTURES: reads what draw_pictures wrote with parsers that know nothing of migprof."""

import json
import pathlib
import sys
import xml.dom.minidom
import xml.parsers.expat

FEW_ELEMENTS = {"title", "style", "g", "metadata", "script", "svg", "rect", "text", "path"}


def check_svg(path):
    data = path.read_bytes()
    data.decode("utf-8", "strict")
    names = set()
    attributes = set()
    parser = xml.parsers.expat.ParserCreate("UTF-8")

    def start(name, attrs):
        names.add(name)
        attributes.update(attrs)

    parser.StartElementHandler = start
    parser.Parse(data, True)
    if names - FEW_ELEMENTS:
        raise ValueError(f"unexpected elements {names - FEW_ELEMENTS}")
    if any(name.startswith("on") or name.endswith(("href", "src")) for name in attributes):
        raise ValueError(f"attributes that run or fetch something: {attributes}")
    if len(data) < 1_000_000:  # a document tree of the large ones takes too long
        document = xml.dom.minidom.parseString(data)
        tree = json.loads(document.getElementsByTagName("metadata")[0].firstChild.data)
        if tree["version"] != 1 or tree["nodes"] < 1:
            raise ValueError("no tree inside")


def check_summary(folder):
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    schema = json.loads((folder / "summary.schema.json").read_text(encoding="utf-8"))
    try:
        import jsonschema
    except ImportError:
        return "summary.json: not validated, for python3-jsonschema is not installed"
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(summary)
    broken = json.loads(json.dumps(summary))
    del broken["slices"][0]["health"]["dropped"]
    if jsonschema.Draft202012Validator(schema).is_valid(broken):
        raise ValueError("the schema accepts a summary without health.dropped")
    return "summary.json: valid by its schema"


def main():
    folder = pathlib.Path(sys.argv[1])
    pictures = sorted(path for path in folder.glob("*.svg") if path.name != "damaged.svg")
    if len(pictures) < 8:
        raise SystemExit(f"only {len(pictures)} pictures in {folder}")
    for path in pictures:
        try:
            check_svg(path)
        except Exception as problem:
            raise SystemExit(f"{path.name}: {problem}") from problem
        print(f"{path.name}: well-formed")
    print(check_summary(folder))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes palette.css: the colours of frames by kind, in four shades, light and dark.

    make_palette.py > palette.css     make_palette.py --check     compare, and test what it promises

Colours are chosen in OKLCH (lightness, chroma, hue), where equal steps look equal. --check proves
that every fill carries its text with a contrast of at least 4.5 to 1, and that kinds stay apart for
people who see no red, no green or no blue.
"""

import itertools
import math
import pathlib
import sys

# By FrameKind: (name, lightness, chroma, hue) on light ground, then on dark ground.
KINDS = [
    ("host", (0.81, 0.015, 255), (0.37, 0.012, 255)),
    ("gpu", (0.86, 0.022, 255), (0.40, 0.022, 255)),
    ("slice", (0.81, 0.035, 255), (0.415, 0.035, 255)),
    ("process", (0.89, 0.025, 275), (0.32, 0.030, 275)),
    ("native", (0.905, 0.105, 98), (0.50, 0.075, 107)),
    ("python", (0.79, 0.105, 242), (0.485, 0.120, 245)),
    ("cuda api", (0.745, 0.115, 345), (0.37, 0.150, 331)),
    ("graph", (0.68, 0.130, 298), (0.37, 0.155, 302)),
    ("kernel", (0.735, 0.140, 156), (0.445, 0.090, 168)),
    ("memcpy", (0.785, 0.145, 62), (0.455, 0.110, 60)),
    ("memset", (0.855, 0.070, 55), (0.31, 0.065, 59)),
    ("note", (0.66, 0.185, 28), (0.41, 0.150, 22)),
    ("range", (0.621, 0.055, 192), (0.25, 0.058, 277)),
]
# The fourteenth kind, idle, has a colour per IdleCause instead of shades.
CAUSES = [
    ("nothing running", (0.929, 0.044, 238), (0.467, 0.058, 250)),
    ("host", (0.873, 0.181, 69), (0.520, 0.145, 58)),
    ("synchronize", (0.641, 0.148, 297), (0.446, 0.164, 282)),
    ("copy", (0.733, 0.164, 216), (0.507, 0.101, 224)),
    ("allocation", (0.698, 0.189, 40), (0.349, 0.127, 44)),
    ("first launch", (0.888, 0.188, 151), (0.528, 0.079, 143)),
    ("launch latency", (0.946, 0.185, 98), (0.394, 0.112, 98)),
    ("unknown", (0.639, 0.053, 243), (0.403, 0.000, 236)),
]
# In a picture of idle time the causes have the colours, and what led to them is pale.
PALE = {
    "native": ((0.915, 0.035, 98), (0.45, 0.025, 107)),
    "python": ((0.86, 0.045, 242), (0.40, 0.05, 245)),
    "cuda api": ((0.80, 0.045, 345), (0.33, 0.05, 331)),
    "graph": ((0.75, 0.05, 298), (0.29, 0.055, 302)),
    "range": ((0.70, 0.03, 192), (0.24, 0.03, 277)),
}
TEXT = {"light": "#16191d", "dark": "#f4f6f8"}
SHADES = [(-0.018, -5), (0.0, 0), (0.018, 5), (0.03, -2)]  # added to lightness and hue
LEAST_CONTRAST = 4.5
# Distance in OKLab, times 100: about 2 can just be told apart side by side.
LEAST_DISTANCE = 4.5
LEAST_DISTANCE_OF_CAUSES = 3.8  # eight of them; their names stand beside them
# These stand in fixed rows of their own, or have brackets around their names: colour adds nothing.
ALIKE = {"host", "gpu", "slice", "process"}

# Machado, Oliveira and Fernandes 2009, severity 1.0; applied to linear RGB.
DEFICIENCIES = {
    "full sight": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "no green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "no blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def oklch_to_linear(lightness, chroma, hue):
    a = chroma * math.cos(math.radians(hue))
    b = chroma * math.sin(math.radians(hue))
    l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
        -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
        -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s,
    )


def linear_to_oklab(rgb):
    r, g, b = (max(0.0, c) for c in rgb)
    l = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    m = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    s = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
        1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
        0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s,
    )


def to_hex(rgb):
    def channel(c):
        c = min(1.0, max(0.0, c))
        c = 12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055
        return round(255 * c)

    return "#%02x%02x%02x" % tuple(channel(c) for c in rgb)


def from_hex(text):
    def channel(c):
        c = c / 255
        return c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4

    return tuple(channel(int(text[i : i + 2], 16)) for i in (1, 3, 5))


def luminance(rgb):
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]


def contrast(a, b):
    high, low = sorted((luminance(from_hex(a)), luminance(from_hex(b))), reverse=True)
    return (high + 0.05) / (low + 0.05)


def distance(a, b, matrix):
    seen = [linear_to_oklab([sum(m * c for m, c in zip(row, from_hex(x))) for row in matrix]) for x in (a, b)]
    return 100 * math.dist(*seen)


def fills(theme, pale=False):
    """[(class, kind, hex)], kind by kind; `pale`: only those of pictures of idle time."""
    result = []
    for index, (kind, *colors) in enumerate(KINDS):
        if pale and kind not in PALE:
            continue
        lightness, chroma, hue = (PALE[kind] if pale else colors)[theme == "dark"]
        for shade, (add, turn) in enumerate(SHADES):
            color = to_hex(oklch_to_linear(lightness + add, chroma, hue + turn))
            result.append((f"k{chr(ord('a') + index)}{shade}", kind, color))
    return result


def causes(theme):
    return [
        (f"kn{index}", name, to_hex(oklch_to_linear(*colors[theme == "dark"])))
        for index, (name, *colors) in enumerate(CAUSES)
    ]


def rules(theme, scope, indent=""):
    def write(scope, fills):
        return "".join(f"{indent}{scope} .{name} {{ fill: {color}; }}\n" for name, _, color in fills)

    idle = scope.replace(".", ".mp-idle.", 1) if scope != ".mp-static" else ".mp-idle .mp-static"
    return write(scope, fills(theme) + causes(theme)) + write(idle, fills(theme, pale=True))


def stylesheet():
    return (
        "/* SPDX-License-Identifier: Apache-2.0 */\n"
        "/* Made by make_palette.py. Classes: k, kind of frame (a: host … m: range), shade; kn and cause of idleness. */\n"
        + rules("light", ".migprof")
        + rules("dark", ".mp-viewer[data-theme=dark]")
        + "@media screen and (prefers-color-scheme: dark) {\n"
        + rules("dark", ".mp-static", "  ")
        + "}\n"
    )


def problems():
    for theme, text in TEXT.items():
        for name, kind, color in fills(theme):
            if contrast(color, text) < LEAST_CONTRAST:
                yield f"{theme} {name} ({kind}): contrast {contrast(color, text):.2f}"
        first = [(kind, color) for name, kind, color in fills(theme) if name.endswith("1")]
        for (kind_a, a), (kind_b, b) in itertools.combinations(first, 2):
            if kind_a in ALIKE and kind_b in ALIKE:
                continue
            for sight, matrix in DEFICIENCIES.items():
                if distance(a, b, matrix) < LEAST_DISTANCE:
                    yield f"{theme} {kind_a} and {kind_b}, {sight}: {distance(a, b, matrix):.1f}"
        pale = fills(theme, pale=True)
        for name, kind, color in pale + causes(theme):
            if contrast(color, text) < LEAST_CONTRAST:
                yield f"{theme} idle {name} ({kind}): contrast {contrast(color, text):.2f}"
        for (name_a, cause, a), (name_b, other, b) in itertools.product(causes(theme), causes(theme) + pale):
            if name_a == name_b or (name_b[1] != "n" and not name_b.endswith("1")):
                continue
            for sight, matrix in DEFICIENCIES.items():
                if distance(a, b, matrix) < LEAST_DISTANCE_OF_CAUSES:
                    yield f"{theme} {cause} and {other}, {sight}: {distance(a, b, matrix):.1f}"


def main():
    if sys.argv[1:] != ["--check"]:
        sys.stdout.write(stylesheet())
        return 0
    found = list(problems())
    if pathlib.Path(__file__).with_name("palette.css").read_text(encoding="utf-8") != stylesheet():
        found.append("palette.css is not what make_palette.py writes")
    print("\n".join(found) or "palette.css: contrast and distances hold")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

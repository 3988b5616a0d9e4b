#!/usr/bin/env python3
"""Enforces the direction of includes: a file of a layer may include its own layer and what src/CMakeLists.txt says it uses,
transitively. Also: no folder name that hijacks a system header, and no source file that has grown beyond one idea."""

import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)
SOURCE = ROOT / "src"
MAX_LINES = 700
FORBIDDEN_FOLDERS = {"sys", "net", "linux"}


def declared_layers():
    text = (SOURCE / "CMakeLists.txt").read_text()
    layers = {}
    for name, rest in re.findall(r"fermata_layer\(([\w/]+)([^)]*)\)", text):
        uses = re.search(r"USES\s+([\w/ ]+?)(?=\s+LIBS|\s*$)", rest.strip())
        layers[name] = uses.group(1).split() if uses else []
    return layers


def reach(layers, name, seen=None):
    seen = set() if seen is None else seen
    if name not in seen:
        seen.add(name)
        for used in layers[name]:
            reach(layers, used, seen)
    return seen


def layer_of(path, layers):
    parts = path.parent.parts
    for length in range(len(parts), 0, -1):
        candidate = "/".join(parts[:length])
        if candidate in layers:
            return candidate
    return parts[0] if parts else ""


def main():
    layers = declared_layers()
    assert len(layers) > 10, "src/CMakeLists.txt could not be read"
    problems = []
    for path in sorted(SOURCE.rglob("*")):
        relative = path.relative_to(SOURCE)
        if path.is_dir():
            if path.name in FORBIDDEN_FOLDERS:
                problems.append(f"{relative}: this folder name hijacks a system header")
            continue
        if path.suffix not in {".cc", ".h"}:
            continue
        lines = path.read_text().splitlines()
        if len(lines) > MAX_LINES:
            problems.append(f"{relative}: {len(lines)} lines, more than {MAX_LINES}")
        own = layer_of(relative, layers)
        if own == "cmd":  # the mains see everything
            continue
        allowed = reach(layers, own) if own in layers else {own}
        for number, line in enumerate(lines, 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match:
                continue
            included = Path(match.group(1))
            target = layer_of(included, layers)
            if not target or not (SOURCE / included).exists():
                if not (path.parent / included).exists() and not (SOURCE / included).exists():
                    problems.append(f"{relative}:{number}: {included} does not exist")
                continue
            if target not in allowed and target != own:
                problems.append(f"{relative}:{number}: layer {own} may not include {included}")
    for problem in problems:
        print(problem)
    print(f"{len(layers)} layers, {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Checks what the compiler does not: that includes point down, and that files and folders keep to the house rules.

    tests/layers_test.py [SOURCE]

The direction is what src/CMakeLists.txt says after USES, transitively. A program's main file (src/cmd) may use everything;
pause includes nothing of the tree.
"""

import re
import sys
from pathlib import Path

SOURCE = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)
# Under an include root these would stand before the system's own headers.
FORBIDDEN_FOLDERS = {"sys", "net", "linux", "bits", "asm"}
MOST_LINES = 700
SUFFIXES = {".h", ".cc"}


def declared_layers():
    """Layer -> the layers it may include, itself among them."""
    direct = {}
    for arguments in re.findall(r"^fermata_layer\(([^)]*)\)", (SOURCE / "src/CMakeLists.txt").read_text(), re.M):
        words = arguments.split()
        uses = words[words.index("USES") + 1:] if "USES" in words else []
        direct[words[0]] = set(uses[:uses.index("LIBS")] if "LIBS" in uses else uses)
    reachable = {}
    for layer in direct:
        seen, queue = set(), [layer]
        while queue:
            name = queue.pop()
            if name not in direct:
                raise SystemExit(f"src/CMakeLists.txt: layer '{layer}' uses '{name}', which is not declared")
            if name not in seen:
                seen.add(name)
                queue += direct[name]
        reachable[layer] = seen
        if any(layer in reachable.get(used, ()) for used in direct[layer]):
            raise SystemExit(f"src/CMakeLists.txt: layer '{layer}' uses itself in a circle")
    return reachable


def layer_of(path, layers):
    """The deepest declared layer that holds the file; path is relative to src."""
    for folder in path.parents:
        if folder.as_posix() in layers:
            return folder.as_posix()
    return None


def check_includes(path, layers, problems):
    relative = path.relative_to(SOURCE / "src")
    own = layer_of(relative, layers)
    for number, line in enumerate(path.read_text().splitlines(), 1):
        included = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
        if not included:
            continue
        where, target = f"src/{relative}:{number}", included.group(1)
        if relative.parts[0] == "pause":
            if not (path.parent / target).exists() or "/" in target:
                problems.append(f"{where}: pause may include nothing of the tree, but has {target}")
        elif not (SOURCE / "src" / target).exists():
            problems.append(f"{where}: {target} is not a file below src")
        elif own is not None:
            used = layer_of(Path(target), layers)
            if used is None:
                problems.append(f"{where}: {target} is in no layer")
            elif used not in layers[own]:
                problems.append(f"{where}: layer {own} may not include {target}, which is in {used}")
        elif relative.parts[0] != "cmd":
            problems.append(f"{where}: the file is in no layer that src/CMakeLists.txt declares")


def main():
    layers = declared_layers()
    problems = []
    files = sorted(path for path in (SOURCE / "src").rglob("*") if path.suffix in SUFFIXES)
    for path in files:
        check_includes(path, layers, problems)
        lines = len(path.read_text().splitlines())
        if lines > MOST_LINES:
            problems.append(f"{path.relative_to(SOURCE)}: {lines} lines; split it (at most {MOST_LINES})")
    for folder in (path for top in ("src", "tests") for path in (SOURCE / top).rglob("*") if path.is_dir()):
        if folder.name in FORBIDDEN_FOLDERS:
            problems.append(f"{folder.relative_to(SOURCE)}: a folder of this name hides system headers")
    print("\n".join(problems) or f"{len(files)} files in {len(layers)} layers: in order")
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""pause is the same bit for bit wherever it is built.

    pause_reproducible_test.py BUILD

Runs the commands by which ninja built each pause once more, on a copy of the source in another directory, and compares.
"""

import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src" / "pause"


def main():
    build = Path(sys.argv[1]).resolve()
    programs = sorted((build / "bin").glob("pause*"))
    if not programs:
        sys.exit("no pause in " + str(build))
    for program in programs:
        shown = subprocess.run(["ninja", "-C", build, "-t", "commands", "-s", f"bin/{program.name}"], check=True, capture_output=True, text=True)
        steps = shown.stdout.strip().splitlines()[-1].split(" && ")
        with tempfile.TemporaryDirectory() as directory:
            source = Path(directory) / "elsewhere"
            shutil.copytree(SOURCE, source)
            again = Path(directory) / "other-name"
            command = [word.replace(str(SOURCE), str(source)) for word in shlex.split(steps[1])]
            command[command.index("-o") + 1] = str(again)
            subprocess.run(command, check=True, cwd=directory)
            if again.read_bytes() != program.read_bytes():
                sys.exit(f"{program.name} is another program when it is built in another directory")
    print(f"{len(programs)} programs are the same when built again")


if __name__ == "__main__":
    main()

"""What the benchmarks share: timing whole commands, a small root file system, tables of medians."""

import ctypes
import os
import shutil
import statistics
import subprocess
import tarfile
import time

CLONE_NEWNET = 0x40000000
CLONE_NEWNS = 0x00020000


def call(arguments, check=True, **more):
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, arguments))}: exit {done.returncode}: {done.stderr.strip()[:500]}")
    return done


def timed(arguments):
    """Milliseconds of one whole command, started without a shell. Its streams are /dev/null: what reads them would be timed, too."""
    program = shutil.which(str(arguments[0]))
    null = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in range(3)]
    start = time.perf_counter_ns()
    child = os.posix_spawn(program, [str(word) for word in arguments], os.environ, file_actions=null)
    _, status = os.waitpid(child, 0)
    took = (time.perf_counter_ns() - start) / 1e6
    if status != 0:
        raise RuntimeError(f"{' '.join(map(str, arguments))}: exit {os.waitstatus_to_exitcode(status)}")
    return took


def make_root_tar(path):
    with tarfile.open(path, "w") as tar:
        for directory in ("bin", "proc", "sys", "dev", "tmp", "etc"):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        tar.add("/bin/busybox", "bin/busybox")
        for applet in ("sh", "sleep", "true"):
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)


def isolate():
    """Into a network and a mount namespace of our own, for the rest of this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET | CLONE_NEWNS) != 0:
        raise SystemExit(f"unshare: {os.strerror(ctypes.get_errno())}")
    call(["mount", "--make-rprivate", "/"])
    call(["ip", "link", "set", "lo", "up"])


def ratio(value, to):
    return f"{value / to:.1f}" if value >= to else f"{value / to:.2f}"


def print_table(samples, names, pairs=None, digits=1):
    """samples: {step: {name: [milliseconds]}}. Ratios: of each pair, or of the others to the first name."""
    pairs = pairs or [(name, names[0]) for name in names[1:]]
    print("| step | " + " | ".join(f"{name} (ms)" for name in names) + " | " +
          " | ".join(f"{name} / {to}" for name, to in pairs) + " |")
    print("|---|" + "---|" * (len(names) + len(pairs)))
    for step, by_name in samples.items():
        medians = {name: statistics.median(by_name[name]) for name in names if name in by_name}
        cells = [f"{medians[name]:.{digits}f}" if name in medians else "fails" for name in names]
        ratios = [ratio(medians[name], medians[to]) if name in medians and to in medians else "" for name, to in pairs]
        print(f"| {step} | " + " | ".join(cells) + " | " + " | ".join(ratios) + " |")

"""Measure another process: as a module ``usage(command)``, as a script the go-between that runs the command.

A process reports at least the memory of the one that started it, so the benchmark, which holds every contender's
model, must not start what it measures itself: this file does, run as a script that imports next to nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time


def usage(command: list[str], **environment: str) -> dict[str, float]:
    """Run a command and return its wall seconds, CPU seconds (its own processes included) and peak RSS in MiB.

    The peak is that of the largest process.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-S", __file__, *command], capture_output=True, text=True, env=os.environ | environment
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def main() -> None:
    start = time.perf_counter()
    process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    print(json.dumps({"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss * unit / 2**20}))
    raise SystemExit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()

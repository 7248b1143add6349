"""What Linux tells about running processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Of `run --as`: 60 MB. Python 3.14 and aiohttp occupy 6 MB more than 3.11 before any of our code is loaded.
RUN_MAY_OCCUPY_BYTES = 60_000_000 if sys.version_info < (3, 14) else 66_000_000


def children(pid: int) -> list[int]:
    """Returns the processes that this one has started and that still run, or wait to be reaped."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(_stat(int(directory.name))[1])
        except OSError:
            continue  # it has ended
        if parent == pid:
            found.append(int(directory.name))
    return found


def shown_to_others(pid: int) -> str:
    """Returns the arguments and the environment of a process, which others may be able to read."""
    return "\n".join(Path(f"/proc/{pid}/{name}").read_bytes().decode() for name in ("cmdline", "environ"))


def resident_bytes(pid: int) -> int:
    """Returns how much memory a process occupies."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def cpu_seconds(pid: int) -> float:
    """Returns how long processors have worked for a process, in steps of 10 ms."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """Returns what follows the name of a process in its `stat`: its state, its parent, and so on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()

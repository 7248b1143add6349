"""File systems that other machines, or other mounts on this one, may share.

Two of them can each grant the same lock, and a mount may answer from a copy of a file's attributes that hides a save by
the other. Records there are read again each time, and the doctor warns.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
# A fuseblk is a disk of this machine. Any other FUSE may be a share, whatever it is called.
_NETWORK = "nfs nfs4 cifs smbfs smb2 smb3 9p virtiofs afs ceph glusterfs lustre fuse"


def is_shared(path: Path, mounts: Path = MOUNTS) -> bool:
    """Whether the path is on a file system that others may share; False if the system does not tell."""
    return is_shared_type(file_system(path, mounts))


def is_shared_type(kind: str) -> bool:
    """Whether others may share a file system of this type."""
    return kind in _NETWORK.split() or kind.startswith("fuse.")


def file_system(path: Path, mounts: Path = MOUNTS) -> str:
    """Returns the type of the file system that the path is on, or will be; empty if the system does not tell.

    The number of the device tells the mount, through any link and whatever is mounted on top of it.
    """
    if sys.platform != "linux":
        return ""
    with suppress(OSError):
        number = _device(path)
        device = f"{os.major(number)}:{os.minor(number)}"
        for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
            mount, _, what = line.partition(" - ")  # proc_pid_mountinfo(5)
            if mount.split()[2:3] == [device]:
                return what.partition(" ")[0]
    return ""


def _device(path: Path) -> int:
    while True:
        try:
            number = path.stat().st_dev
        except FileNotFoundError:
            path = path.parent  # it would be created there
        else:
            return number

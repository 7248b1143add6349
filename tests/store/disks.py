"""The calls of the system that change a disk: watched, and failing as a real disk does."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest


class Disk:
    """Notes each call, with the mode or size that it finds, and what files are opened for; `failing` has errors."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.flags: list[int] = []
        self.failing: dict[str, OSError] = {}
        for name in ("open", "fsync", "fchmod", "chmod", "utime", "replace", "unlink", "mkdir", "rmdir"):
            patch.setattr(os, name, self._watched(name, getattr(os, name)))

    def _watched(self, name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(path: object, *arguments: int, **named: object) -> object:
            what = name
            if name == "open":
                self.flags.append(arguments[0])
                what += f" {arguments[1]:o}" if len(arguments) > 1 else ""
            elif name in {"fsync", "fchmod"}:
                status = os.fstat(path)  # type: ignore[arg-type]  # a descriptor
                size = "directory" if stat.S_ISDIR(status.st_mode) else status.st_size
                what += f" {stat.S_IMODE(status.st_mode):o} {size}"
            elif name == "chmod":
                what += f" {stat.S_IMODE(Path(str(path)).stat().st_mode):o}"
            self.calls.append(what)
            if name in self.failing:
                raise self.failing[name]
            return real(path, *arguments, **named)

        return call

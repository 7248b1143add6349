"""Real processes in which system calls fail, cheap enough to start thousands of them; `swept` is their side."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Self

from tests.sweep.orders import Ended, Order

# An installed package may be called tests too.
_SERVE = """
import sys, types
tests = sys.modules["tests"] = types.ModuleType("tests")
tests.__path__ = [sys.argv[1]]
from tests.sweep.swept import serve
serve()
"""


class Processes:
    """Starts one process at a time, forked from one that has loaded everything."""

    def __init__(self, library: Path) -> None:
        # Without coverage, whose files would be written under failing calls.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
        self._server = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(Path(__file__).parent.parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**inherited, "LD_PRELOAD": str(library), "LANGUAGE": "C"},  # argparse looks for no translations
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.communicate()

    def __call__(self, order: Order) -> Ended:
        """Starts a process and waits for its end."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(f"{json.dumps(asdict(order))}\n")
        self._server.stdin.flush()
        line = self._server.stdout.readline()
        assert line, "the process that forks has ended"
        return Ended(**json.loads(line))

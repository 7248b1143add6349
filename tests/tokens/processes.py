"""Real processes that ask for a token, cheap enough to kill hundreds of them; `mortal` is their side."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support.programs import UNMEASURED
from tests.tokens.scene import Clock
from withings_auth.sandbox import Sandbox

ANSWER_ON_ITS_WAY = "the answer on its way"

# An installed package may be called tests too.
_SERVE = """
import sys, types
tests = sys.modules["tests"] = types.ModuleType("tests")
tests.__path__ = [sys.argv[1]]
from tests.tokens.mortal import serve
serve()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended, and what it reported: a digest of its token, or its error."""

    returncode: int
    digest: str | None = None
    error: str | None = None
    exit_code: int | None = None
    words: str = ""


class Processes:
    """Starts one process at a time, forked from one that has imported everything.

    `store` is `file:DIRECTORY`, `keyring:STATE` or `replacing:DIRECTORY`; `die_at` is the step at which the process is
    killed. Its clock moves only while it waits.
    """

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(Path(__file__).parent.parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # Measuring coverage costs time, and a fork that is killed, or ends at once, keeps none of it.
            env={name: value for name, value in os.environ.items() if name not in UNMEASURED},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._server.pid, signal.SIGKILL)  # with everything that still waits
        self._server.communicate()

    def __call__(self, store: str, clock: Clock, **order: object) -> Ended:
        """Starts a process that asks for a token, and waits for its end; see `mortal.Order` for the other fields."""
        self.begin(store, clock, **order)
        return self.end(clock)

    def begin(self, store: str, clock: Clock, **order: object) -> int:
        """Starts a process and returns its id."""
        self._write(json.dumps({"store": store, "now": clock(), **order}))
        pid = self._read()["pid"]
        assert isinstance(pid, int)
        return pid

    def end(self, clock: Clock) -> Ended:
        """Waits for the process to end; meanwhile its waits move the clock."""
        said: dict[str, object] = {}
        while "returncode" not in said:
            told = self._read()
            if "waits" in told:
                clock.wait(float(str(told["waits"])))
                self._write("")
            else:
                said |= told
        return Ended(**said)  # type: ignore[arg-type]  # as `mortal` writes it

    def kill_at(self, step: str, *, store: str, clock: Clock, sandbox: Sandbox) -> None:
        """Starts a process that renews, and kills it at that step."""
        if step == ANSWER_ON_ITS_WAY:
            ended = self.kill_while_it_waits_for_the_answer(store, clock, sandbox)
        else:
            ended = self(store, clock, die_at=step)
        assert ended == Ended(returncode=-signal.SIGKILL)

    def kill_while_it_waits_for_the_answer(self, store: str, clock: Clock, sandbox: Sandbox) -> Ended:
        """Kills a process when Withings has renewed and the answer is on its way."""
        sandbox.fail_next("slow", seconds=30.0)
        before = sandbox.counters.refreshes
        pid = self.begin(store, clock)
        await_refresh(sandbox, before)
        os.kill(pid, signal.SIGKILL)
        return self.end(clock)

    def _write(self, line: str) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(f"{line}\n")
        self._server.stdin.flush()

    def _read(self) -> dict[str, object]:
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        assert line, "the process that forks has ended"
        told: dict[str, object] = json.loads(line)
        return told


def await_refresh(sandbox: Sandbox, before: int = 0) -> None:
    """Waits until Withings has made more refreshes than the given number."""
    deadline = time.monotonic() + 60
    while sandbox.counters.refreshes == before:
        assert time.monotonic() < deadline, "nobody renews"
        time.sleep(0.002)

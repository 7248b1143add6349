"""Tests that run at the same time get different ports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import ports

if TYPE_CHECKING:
    from tests.support.programs import Cli

OTHERS = 6
TAKE = f"""
import sys
sys.path.insert(0, {str(Path.cwd())!r})
from tests.support.ports import free_port
print(*(free_port() for _ in range(50)), flush=True)
sys.stdin.read()
"""


def test_nobody_is_given_a_port_of_another(python: Cli) -> None:
    """Neither within a process nor while another process runs."""
    others = [python.start(TAKE, stdin=True) for _ in range(OTHERS)]
    theirs = [port for other in others for port in other.stdout.line(r"^\d+ .*").split()]
    ours = [str(ports.free_port()) for _ in range(50)]
    assert len({*theirs, *ours}) == 50 * (OTHERS + 1)
    for other in others:
        other.end_input()
        assert other.wait().returncode == 0


def test_a_share_is_free_again_when_its_process_has_ended() -> None:
    start = next(port for port in iter(ports.free_port, 0) if (port - ports.UNASSIGNED[0]) % ports.SHARE)
    claim = ports._claim(start)
    assert claim is not None
    assert ports._claim(start) is None
    claim.close()
    again = ports._claim(start)
    assert again is not None
    again.close()

"""Ports that a test can have for itself, while other tests run beside it in other processes."""

from __future__ import annotations

import functools
import itertools
import random
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

UNASSIGNED = (20_000, 32_000)  # below those that Linux (from 32,768), macOS and Windows hand out by themselves
SHARE = 300


def free_port() -> int:
    """Returns a port that is free on 127.0.0.1 and ::1, and that is given to nobody else for a while.

    The test may use it as late as it likes: no other test gets it meanwhile, and no system hands it out by itself.
    """
    ports, _ = _share()
    for port in ports:
        with socket.socket() as first, socket.socket(socket.AF_INET6) as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("::1", port))
            except OSError:
                continue
        return port
    raise AssertionError("a share never ends")


@functools.cache
def _share() -> tuple[Iterator[int], socket.socket]:
    """The ports of this process, over and over again, and its claim to them."""
    shares = range(*UNASSIGNED, SHARE)
    for start in random.sample(shares, len(shares)):
        if (claim := _claim(start)) is not None:
            return itertools.cycle(range(start, start + SHARE)), claim
    raise AssertionError("other tests have all ports")


def _claim(start: int) -> socket.socket | None:
    """A UDP socket says whose share it is, to every process of the machine, and ends with its process at the latest."""
    claim = socket.socket(type=socket.SOCK_DGRAM)
    try:
        claim.bind(("127.0.0.1", start))
    except OSError:
        claim.close()
        return None
    return claim

"""A command that waits for its user notices Ctrl-C, whenever it comes."""

from __future__ import annotations

import _thread
import os
import signal
import threading

import pytest

from withings_auth.cli.ui.signals import waking_for_signals


def test_a_signal_that_comes_just_before_a_read_is_noticed() -> None:
    """As if it had come after Python looked for signals, and before the system waited."""

    def read() -> None:
        late.start()
        rescue.start()
        os.read(output, 1)

    output, into = os.pipe()
    handler, (seconds, _) = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    late = threading.Timer(0.1, _thread.interrupt_main)  # marks the signal as come, but interrupts no system call
    rescue = threading.Timer(60, os.write, (into, b"x"))
    try:
        with pytest.raises(KeyboardInterrupt), waking_for_signals():
            read()
    finally:
        rescue.cancel()
        os.close(output)
        os.close(into)
    assert signal.getsignal(signal.SIGALRM) is handler
    assert (signal.getitimer(signal.ITIMER_REAL)[0] > 0) is (seconds > 0)

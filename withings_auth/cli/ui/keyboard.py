"""What a person types or pastes while something else is waited for: line by line, unseen, and never a reason to stay.

The terminal does not show it, since it may be an authorization code; the terminal is given back as it was, whatever
ends the reading, and so it is while the program is stopped (Ctrl-Z). What was typed unseen and not yet read is thrown
away then, so that no shell takes it for a command. A background job leaves the terminal alone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from withings_auth.cli.ui.terminal import is_in_foreground, show

_LONGEST_LINE = 8192
_LOOK_AGAIN_SECONDS = 1.0  # whether the terminal is ours (again)

if sys.platform == "win32":
    import msvcrt

    _POLL_SECONDS = 0.05

    async def typed_lines() -> AsyncIterator[str]:
        """Yields each line that is typed; Ctrl-Z and Enter end it."""
        line = ""
        while True:
            while not msvcrt.kbhit():
                await asyncio.sleep(_POLL_SECONDS)
            match msvcrt.getwch():
                case "\r" | "\n":
                    if line == "\x1a":
                        return
                    yield line
                    line = ""
                case "\b":
                    line = line[:-1]
                case "\x03":  # typed in the moment in which the console hands it on as a key
                    raise KeyboardInterrupt
                case "\x00" | "\xe0":
                    msvcrt.getwch()  # the second half of a key that is no character
                case key:
                    line = (line + key)[:_LONGEST_LINE]

else:
    import termios

    async def typed_lines() -> AsyncIterator[str]:
        """Yields each line that is typed at the terminal on stdin; Ctrl-D ends it."""
        keyboard = _Keyboard(sys.stdin.fileno())
        keyboard.hold()
        try:
            while (line := await keyboard.lines.get()) is not None:
                yield line
        finally:
            keyboard.close()

    class _Keyboard:
        """A terminal that does not show what is typed, from `hold` to `close`. Belongs to one event loop."""

        def __init__(self, descriptor: int) -> None:
            self.lines: asyncio.Queue[str | None] = asyncio.Queue()
            self._descriptor = descriptor
            self._loop = asyncio.get_running_loop()
            self._before: list[Any] | None = None  # the settings that were found, while ours are in force
            self._unfinished = b""
            self._signals = [
                number
                for number in (signal.SIGTSTP, signal.SIGQUIT, signal.SIGHUP)
                if signal.getsignal(number) is signal.SIG_DFL  # an ignored one stays ignored
            ]
            for number in self._signals:
                self._loop.add_signal_handler(number, self._let_go, number)

        def hold(self) -> None:
            """Reads, and stops the echo, whenever the terminal is ours; looks again and again."""
            self._again = self._loop.call_later(_LOOK_AGAIN_SECONDS, self.hold)
            if not is_in_foreground(self._descriptor):
                return
            with suppress(OSError, termios.error):
                settings = termios.tcgetattr(self._descriptor)
                if settings[3] & termios.ECHO:
                    self._before = list(settings)
                    settings[3] &= ~termios.ECHO
                    # At once: waiting until all output is shown would take as long as somebody holds it with Ctrl-S.
                    termios.tcsetattr(self._descriptor, termios.TCSANOW, settings)
            self._loop.add_reader(self._descriptor, self._read)

        def close(self) -> None:
            """Gives the terminal back as it was."""
            self._give_back()
            for number in self._signals:
                self._loop.remove_signal_handler(number)

        def _give_back(self) -> None:
            self._again.cancel()
            self._loop.remove_reader(self._descriptor)
            if self._before is not None and is_in_foreground(self._descriptor):
                with suppress(OSError, termios.error):  # it may be gone
                    termios.tcflush(self._descriptor, termios.TCIFLUSH)
                    termios.tcsetattr(self._descriptor, termios.TCSANOW, self._before)
            self._before = None

        def _let_go(self, number: int) -> None:
            """Obeys a signal that stops or ends the program, with the terminal given back before."""
            show("")
            self._give_back()
            self._loop.remove_signal_handler(number)
            signal.raise_signal(number)
            # Stopped, and continued; or the system would not stop a program that nobody could continue.
            self._loop.add_signal_handler(number, self._let_go, number)
            self.hold()

        def _read(self) -> None:
            if not is_in_foreground(self._descriptor):
                self._loop.remove_reader(self._descriptor)
                return
            try:
                data = os.read(self._descriptor, 4096)
            except BlockingIOError:
                return
            except OSError:  # the terminal is gone
                data = b""
            if not data:
                self._loop.remove_reader(self._descriptor)
                self._again.cancel()
                self.lines.put_nowait(None)
                return
            *whole, rest = (self._unfinished + data).split(b"\n")
            self._unfinished = rest[-_LONGEST_LINE:]
            for line in whole:
                self.lines.put_nowait(line.decode("utf-8", "replace"))

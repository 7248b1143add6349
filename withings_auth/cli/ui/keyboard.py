"""Reads what the user types or pastes while the program waits for something else, line by line and without echo.

There is no echo because a line may be an authorization code. The terminal's settings are restored however the
reading ends, and while the program is stopped (Ctrl-Z). What was typed but not read is discarded then, so that no shell
takes it for a command. A background job leaves the terminal alone.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from withings_auth.cli.ui.terminal import is_in_foreground, show

if TYPE_CHECKING:
    import asyncio

_LONGEST_LINE = 8192
_CHECK_SECONDS = 1.0  # how often to check whether the terminal is ours

if sys.platform == "win32":
    import msvcrt

    _POLL_SECONDS = 0.05

    async def typed_lines() -> AsyncIterator[str]:
        """Yields each line that is typed, until Ctrl-Z and Enter."""
        import asyncio  # here, because a login starts its browser before loading it

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
                case "\x03":  # while the console passes Ctrl-C on as a key
                    raise KeyboardInterrupt
                case "\x00" | "\xe0":
                    msvcrt.getwch()  # the second half of a function key
                case key:
                    line = (line + key)[:_LONGEST_LINE]

else:
    import termios

    async def typed_lines() -> AsyncIterator[str]:
        """Yields each line that is typed at the terminal on stdin, until Ctrl-D."""
        keyboard = _Keyboard(sys.stdin.fileno())
        keyboard.hold()
        try:
            while (line := await keyboard.lines.get()) is not None:
                yield line
        finally:
            keyboard.close()

    class _Keyboard:
        """A terminal without echo, from `hold` to `close`. Belongs to one event loop."""

        def __init__(self, descriptor: int) -> None:
            import asyncio  # here, because a login starts its browser before loading it

            self.lines: asyncio.Queue[str | None] = asyncio.Queue()
            self._descriptor = descriptor
            self._loop = asyncio.get_running_loop()
            self._before: list[Any] | None = None  # the settings to restore, while ours are in force
            self._unfinished = b""
            self._signals = [
                number
                for number in (signal.SIGTSTP, signal.SIGQUIT)
                if signal.getsignal(number) is signal.SIG_DFL  # ignored signals stay ignored
            ]
            for number in self._signals:
                self._loop.add_signal_handler(number, self._handle_signal, number)

        def hold(self) -> None:
            """Reads without echo while the terminal is ours, which is checked every second."""
            self._again = self._loop.call_later(_CHECK_SECONDS, self.hold)
            if not is_in_foreground(self._descriptor):
                return
            with suppress(OSError, termios.error):
                settings = termios.tcgetattr(self._descriptor)
                if settings[3] & termios.ECHO:
                    self._before = list(settings)
                    settings[3] &= ~termios.ECHO
                    # TCSANOW: waiting for the output to be shown would block while the user holds it with Ctrl-S.
                    termios.tcsetattr(self._descriptor, termios.TCSANOW, settings)
            self._loop.add_reader(self._descriptor, self._read)

        def close(self) -> None:
            """Restores the terminal."""
            self._restore()
            for number in self._signals:
                self._loop.remove_signal_handler(number)

        def _restore(self) -> None:
            self._again.cancel()
            self._loop.remove_reader(self._descriptor)
            if self._before is not None and is_in_foreground(self._descriptor):
                with suppress(OSError, termios.error):  # the terminal may be gone
                    termios.tcflush(self._descriptor, termios.TCIFLUSH)
                    termios.tcsetattr(self._descriptor, termios.TCSANOW, self._before)
            self._before = None

        def _handle_signal(self, number: int) -> None:
            """Restores the terminal, then obeys a signal that stops or ends the program."""
            show("")
            self._restore()
            self._loop.remove_signal_handler(number)
            signal.raise_signal(number)
            # Continued after a stop, or not stopped because nobody could continue the program.
            self._loop.add_signal_handler(number, self._handle_signal, number)
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

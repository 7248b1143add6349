"""What a program writes to a pipe or a terminal, read as it arrives."""

from __future__ import annotations

import codecs
import os
import re
import threading
import time


class Stream:
    """What a program writes, read as it arrives; a failed wait says what it wrote instead."""

    def __init__(self, descriptor: int, name: str) -> None:
        self.name = name
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="backslashreplace")
        self._text = ""
        self._seen = 0
        self._ended = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, name=f"reads {name}", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._descriptor, 65536)
            except OSError:  # EIO: the last program on this terminal has ended
                data = b""
            with self._news:
                self._text += self._decoder.decode(data, final=not data)
                self._ended = not data
                self._news.notify_all()
            if not data:
                os.close(self._descriptor)
                return

    @property
    def text(self) -> str:
        """Everything so far; the line ends of a terminal become plain ones."""
        with self._news:
            return self._text.replace("\r\n", "\n")

    def expect(self, pattern: str, *, seconds: float = 60) -> re.Match[str]:
        """Wait for the pattern, after the previous match; it can match a line that is not complete yet."""
        deadline = time.monotonic() + seconds
        with self._news:
            while (found := re.compile(pattern).search(self._text, self._seen)) is None:
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    how = "ended" if self._ended else f"had {seconds} s"
                    raise AssertionError(f"{self.name} {how} without {pattern!r}: {self._text[self._seen :]!r}")
                self._news.wait(left)
            self._seen = found.end()
            return found

    def line(self, pattern: str = "", *, seconds: float = 60) -> str:
        """Wait for a whole line that contains the pattern; returns it without its line end."""
        found = self.expect(rf"(?m)^(.*(?:{pattern}).*?)\r?\n", seconds=seconds)
        return str(found[1])

    def end(self, *, seconds: float) -> bool:
        """Wait for the end of the stream; returns false if another process still holds it open."""
        self._reader.join(seconds)
        return not self._reader.is_alive()

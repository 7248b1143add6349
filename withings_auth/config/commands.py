"""The commands in config.toml, which run without a shell: a list of words, or a string that is split as a shell would.

Imported only if there is one.
"""

from __future__ import annotations

import os
import shlex

from withings_auth.errors import ConfigurationError


def join_words(words: list[object], place: str) -> str:
    """Returns the list as a string that is split into the same words. Raises `ConfigurationError`."""
    strings = [word for word in words if isinstance(word, str)]
    if strings != words:
        raise ConfigurationError(f"{place} has a word that is not a string", hint="put every word in quotes")
    return shlex.join(strings)


def split_words(text: str, place: str) -> tuple[str, ...]:
    """Returns the words of the command, with the home directory for a `~` before its program.

    Raises `ConfigurationError` if a quote is not closed.
    """
    try:
        words = shlex.split(text)
    except ValueError:
        raise ConfigurationError(
            f"{place} is not a command: a quote in it is not closed",
            hint='close it, or write a list of words, for example ["notify-send", "Withings"]',
        ) from None
    # Not `Path.expanduser`, which turns ./hook into hook.
    # Unlike `Path`, it changes nothing else, and leaves the name of an unknown user as it is.
    return tuple(word if number else os.path.expanduser(word) for number, word in enumerate(words))  # noqa: PTH111

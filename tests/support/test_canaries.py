"""A secret that shows up in a log or an output is found."""

from __future__ import annotations

import logging
import sys

from tests.support.canaries import Canaries
from tests.support.programs import Cli


def test_a_secret_in_a_log_record_is_found() -> None:
    canaries = Canaries()
    secret = canaries.plant("the code")
    canaries.hear("the log of aiohttp.access", f"GET /?code={secret}")
    assert canaries.escaped() == ["the code is in the log of aiohttp.access"]


def test_every_logger_is_heard_at_debug(canaries: Canaries) -> None:
    logged = canaries.plant("logged on purpose")
    logging.getLogger("somebody").debug("a value: %s", logged)
    escaped = canaries.escaped()
    canaries.forget(logged)
    assert escaped == ["logged on purpose is in the log of somebody"]


def test_a_secret_in_an_output_is_found_unless_it_is_the_purpose() -> None:
    heard = Canaries()
    secret = heard.plant("the token")
    command = Cli((sys.executable, "-c"), heard)
    command("import sys; print(sys.argv[1])", secret, allow=[secret])
    command.close()
    assert heard.escaped() == []

    command = Cli((sys.executable, "-c"), heard)
    command("import sys; print(sys.argv[1])", secret)
    command("import sys; print(sys.argv[1], file=sys.stderr)", secret, allow=[secret])
    command.close()
    assert [line.split()[2:5] for line in heard.escaped()] == [["is", "in", "stdout"], ["is", "in", "stderr"]]


def test_secrets_of_any_characters_are_found_inside_of_longer_words() -> None:
    canaries = Canaries()
    for secret in ("a]b^c-d", "\\d+.*", "ü" * 30):
        canaries.plant(f"the secret {secret!r}", secret)
        canaries.hear("an output", f"before{secret}after")
    assert len(canaries.escaped()) == 3

"""A check that goes wrong, in whichever way, is a line of the checklist and not its end."""

from __future__ import annotations

import threading

import pytest

from tests.support.canaries import Canaries
from withings_auth.doctor.findings import Finding, Found, Verdict, failed, ok, tried
from withings_auth.errors import ConfigurationError


@pytest.mark.parametrize("seconds", [5.0, None], ids=["in a thread", "here"])
class TestEitherWay:
    def test_what_a_check_returns_comes_back(self, seconds: float | None) -> None:
        assert tried(lambda: ok("fine"), seconds=seconds) == Found(verdict=Verdict.OK, words="fine")

    def test_an_error_of_ours_keeps_its_words_and_its_remedy(self, seconds: float | None) -> None:
        def look() -> Found:
            raise ConfigurationError("this is wrong", hint="do that")

        assert tried(look, seconds=seconds) == failed("this is wrong", "do that")

    def test_of_a_foreign_error_only_the_kind_is_told(self, seconds: float | None, canaries: Canaries) -> None:
        """Statement 23: its text may hold anything, a secret too."""
        secret = canaries.plant("in a foreign error")

        def look() -> Found:
            raise LookupError(secret)

        found = tried(look, seconds=seconds)
        assert found.verdict is Verdict.FAILED
        assert found.words == "this check itself failed (LookupError)"
        assert secret not in repr(found)


def test_a_check_that_hangs_is_not_waited_for() -> None:
    """Statement 32: after its time it is a failed line, and its thread keeps no process from ending."""
    go = threading.Event()
    found = tried(lambda: ok("late") if go.wait(20) else ok("never"), seconds=0.05)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "withings-auth doctor"]
    go.set()
    assert found == failed("this could not be found out within 0 seconds", "see what is slow, and try again")
    assert thread.daemon
    thread.join(5)


def test_a_signal_is_no_finding() -> None:
    """What a signal raises goes on to whoever started the checklist."""

    def look() -> Found:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tried(look, seconds=None)


def test_the_fields_of_a_finding_are_texts() -> None:
    finding = Finding(name="Lock", verdict=Verdict.WARNING, words="w", remedy="r")
    assert finding.fields() == {"name": "Lock", "verdict": "warning", "words": "w", "remedy": "r"}
    assert type(finding.fields()["verdict"]) is str

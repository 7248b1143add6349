"""However a check fails, the failure is a line of the checklist and not its end."""

from __future__ import annotations

import threading

import pytest

from tests.support.canaries import Canaries
from withings_auth.doctor.results import Result, Verdict, failed, ok, run_check
from withings_auth.errors import ConfigurationError


@pytest.mark.parametrize("seconds", [5.0, None], ids=["in a thread", "here"])
class TestInAThreadOrHere:
    def test_the_result_of_a_check_is_returned(self, seconds: float | None) -> None:
        assert run_check(lambda: ok("fine"), seconds=seconds) == Result(verdict=Verdict.OK, words="fine")

    def test_our_own_error_keeps_its_message_and_hint(self, seconds: float | None) -> None:
        def check() -> Result:
            raise ConfigurationError("this is wrong", hint="do that")

        assert run_check(check, seconds=seconds) == failed("this is wrong", "do that")

    def test_only_the_type_of_a_foreign_error_is_shown(self, seconds: float | None, canaries: Canaries) -> None:
        """Statement 23: its text may hold anything, even a secret."""
        secret = canaries.plant("in a foreign error")

        def check() -> Result:
            raise LookupError(secret)

        result = run_check(check, seconds=seconds)
        assert result.verdict is Verdict.FAILED
        assert result.words == "the check itself failed (LookupError)"
        assert secret not in repr(result)


def test_a_check_that_hangs_is_not_waited_for() -> None:
    """Statement 32: after its time it has failed, and its thread does not keep the process alive."""
    go = threading.Event()
    result = run_check(lambda: ok("late") if go.wait(20) else ok("never"), seconds=0.05)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "withings-auth doctor"]
    go.set()
    assert result == failed("no result within 0 seconds", "find out what is slow, and try again")
    assert thread.daemon
    thread.join(5)


def test_a_signal_is_not_a_result() -> None:
    """What a signal raises reaches whoever started the checklist."""

    def check() -> Result:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_check(check, seconds=None)


def test_the_fields_of_a_result_are_strings() -> None:
    result = Result(name="Lock", verdict=Verdict.WARNING, words="w", remedy="r")
    assert result.fields() == {"name": "Lock", "verdict": "warning", "words": "w", "remedy": "r"}
    assert type(result.fields()["verdict"]) is str

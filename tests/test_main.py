"""How the process of the command ends."""

from __future__ import annotations

from tests.support.programs import UNMEASURED, Cli

TRIES = 8  # without the cure about every third one crashes

LOADING = """
import ssl, sys, threading
from withings_auth.__main__ import run

def load():
    while True:
        ssl.create_default_context()

for _ in range(2):
    threading.Thread(target=load, daemon=True).start()
sys.argv = ["withings-auth", "--version"]
run()
"""

SAVING = """
import sys, threading, time
from withings_auth.__main__ import run

threading.Thread(target=time.sleep, args=[60], daemon=True).start()
threading.Thread(target=lambda: time.sleep(0.3) or print("saved"), daemon=False).start()
sys.argv = ["withings-auth", "--version"]
run()
"""

SWALLOWING = """
import os, signal, sys
from withings_auth.__main__ import run
from withings_auth.cli import greeting

def greet(usage):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        raise TypeError("expected a message argument") from None

greeting.greet = greet
sys.argv = ["withings-auth"]
run()
"""


def test_it_ends_while_an_abandoned_thread_loads_certificates(python: Cli) -> None:
    """A signal or an error can come while the variables are checked: the command ends with its code all the same."""
    for _ in range(TRIES):
        finished = python(LOADING)
        assert (finished.returncode, finished.stderr) == (0, "")
        assert finished.stdout.startswith("withings-auth ")


def test_it_waits_for_a_renewal_and_for_no_other_thread(python: Cli) -> None:
    finished = python(SAVING)
    assert (finished.returncode, finished.stdout.splitlines()[-1]) == (0, "saved")
    assert finished.seconds < 50


def test_an_import_that_turns_an_interruption_into_another_error(python: Cli) -> None:
    """As `_ssl` does: it is the user's Ctrl-C all the same."""
    finished = python(SWALLOWING)
    assert (finished.returncode, finished.stderr) == (130, "withings-auth: error: interrupted\n")


def test_it_loads_nothing_before_it_can_be_interrupted_without_a_word(python: Cli) -> None:
    loaded = (
        "import sys; before = {*sys.modules}; import withings_auth.__main__; print(*sorted({*sys.modules} - before))"
    )
    assert python(loaded, env=UNMEASURED).stdout == "withings_auth withings_auth.__main__\n"

"""How the process of the command ends."""

from __future__ import annotations

from tests.support.programs import Cli

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


def test_it_ends_while_an_abandoned_thread_loads_certificates(python: Cli) -> None:
    """A signal or an error can come while the variables are checked: the command ends with its code all the same."""
    for _ in range(TRIES):
        finished = python(LOADING)
        assert (finished.returncode, finished.stderr) == (0, "")
        assert finished.stdout.startswith("withings-auth ")


def test_it_waits_for_a_renewal_and_for_no_other_thread(python: Cli) -> None:
    finished = python(SAVING)
    assert (finished.returncode, finished.stdout.splitlines()[-1]) == (0, "saved")
    assert finished.seconds < 30

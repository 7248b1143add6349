"""The tests' Secret Service is a real one, in whatever state a test puts it."""

from __future__ import annotations

import importlib
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.waiting import wait_until_gone

if TYPE_CHECKING:
    from tests.support.keyring_daemon import Bus, SecretService
    from tests.support.programs import Cli

REPOSITORY = Path(__file__).parents[2]
KEEP = "import keyring; keyring.set_password('a service', 'a user', 'from python')"
FIND = "import keyring; print(keyring.get_password('a service', 'a user'))"


def test_another_kind_of_program_reads_what_keyring_wrote(secret_service: SecretService, python: Cli) -> None:
    assert python(KEEP, env=secret_service.environ).returncode == 0
    assert secret_service.lookup("a service", "a user") == "from python"
    assert secret_service.services() == ["a service"]


def test_keyring_reads_what_another_kind_of_program_wrote(secret_service: SecretService, python: Cli) -> None:
    secret_service.store("a service", "a user", "from outside")
    assert python(FIND, env=secret_service.environ).stdout == "from outside\n"


def test_this_process_can_use_it_too(secret_service: SecretService, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not the backend that keyring chooses: the backends of other tests affect that.
    backend: Any = importlib.import_module("keyring.backends.SecretService").Keyring()

    secret_service.enter(monkeypatch)
    secret_service.store("a service", "a user", "from outside")
    assert backend.get_password("a service", "a user") == "from outside"


def test_a_locked_one_refuses_at_once_until_it_is_unlocked(secret_service: SecretService, python: Cli) -> None:
    secret_service.store("a service", "a user", "text")
    secret_service.lock()
    refused = python(FIND, env=secret_service.environ)
    assert "KeyringLocked" in refused.stderr
    assert secret_service.lookup("a service", "a user") is None
    secret_service.unlock()
    assert python(FIND, env=secret_service.environ).stdout == "text\n"


def test_a_locked_one_whose_user_is_away_never_answers(secret_service: SecretService, python: Cli) -> None:
    secret_service.lock()
    with secret_service.deaf_prompter():
        program = python.start(FIND, env=secret_service.environ)
        time.sleep(1)
        assert program.running
        program.destroy()


def test_a_stopped_one_answers_when_it_resumes(secret_service: SecretService, python: Cli) -> None:
    secret_service.store("a service", "a user", "text")
    secret_service.stop()
    program = python.start(FIND, env=secret_service.environ)
    time.sleep(1)
    assert program.running
    secret_service.resume()
    assert program.wait().stdout == "text\n"


def test_a_killed_one_is_not_started_again(secret_service: SecretService, python: Cli) -> None:
    secret_service.kill()
    assert "NoKeyringError" in python(FIND, env=secret_service.environ).stderr


def test_a_crash_is_reported(secret_service: SecretService, python: Cli) -> None:
    """Otherwise a daemon that has crashed looks like a keyring that our code could not find."""
    code = """
import os, signal
from tests.support.keyring_daemon import SecretService
with SecretService() as service:
    os.kill(service._daemons[-1].pid, signal.SIGSEGV)
    service._daemons[-1].wait()
"""
    ended = python(code, env={"PYTHONPATH": str(REPOSITORY)})
    assert "AssertionError: gnome-keyring-daemon ended by itself, with -11: " in ended.stderr
    assert secret_service.services() == []  # the others are still alive


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv of util-linux ties the daemons to the tests")
def test_a_killed_test_run_leaves_no_daemon(python: Cli) -> None:
    code = """
import os
from tests.support.keyring_daemon import SecretService
service = SecretService()
print(*(daemon.pid for daemon in service._daemons), service.directory, flush=True)
os._exit(9)
"""
    *pids, directory = python(code, env={"PYTHONPATH": str(REPOSITORY)}).stdout.split()
    shutil.rmtree(directory)
    assert len(pids) == 2
    wait_until_gone(*map(int, pids))


def test_a_bus_without_one_has_none(bus_without_secret_service: Bus, python: Cli) -> None:
    assert "NoKeyringError" in python(FIND, env=bus_without_secret_service.environ).stderr

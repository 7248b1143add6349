"""One pending login per profile at a time."""

from __future__ import annotations

import signal

import pytest

from tests.support.logins import Desk
from tests.support.ports import free_port
from withings_auth.authorization.single_login import reserve_login
from withings_auth.errors import LoginError
from withings_auth.store.memory_store import MemoryStore


def test_a_second_login_is_told_where_the_first_one_waits(desk: Desk) -> None:
    """Exit 1 at once, naming the process and the address; the first one goes on and succeeds."""
    first = desk.start()
    desk.sandbox.register_redirect_uri(other := f"http://localhost:{free_port()}")
    second = desk.run("login", "--redirect-uri", other)
    assert second.returncode == 1
    assert "a login for profile default is already pending" in second.stderr
    assert f"process {first.program.pid}, listening at http://localhost:{desk.port}" in second.stderr
    first.allow()
    assert first.wait().returncode == 0


def test_another_profile_is_not_held_up(desk: Desk) -> None:
    """Two people can log in at once, each at their own address."""
    first = desk.start()
    desk.sandbox.register_redirect_uri(other := f"http://localhost:{free_port()}")
    second = desk.cli.start("login", "--no-browser", "--profile", "second", "--redirect-uri", other, env=desk.env)
    second.stderr.line(r"^http\S+")
    assert first.program.running
    second.signal(signal.SIGINT)
    second.wait()


def test_a_login_that_was_killed_holds_nothing(desk: Desk) -> None:
    """After a login was killed, the next one can begin."""
    killed = desk.start()
    killed.program.signal(signal.SIGKILL)
    killed.wait()
    assert desk.log_in().returncode == 0


def test_it_is_given_back_whatever_happens() -> None:
    """While it is reserved nobody else gets in; after an error inside, the profile is free again."""
    store = MemoryStore()

    def fail_inside() -> None:
        with reserve_login(store, "default", "here"):
            with pytest.raises(LoginError, match="here"):
                reserve_login(store, "default", "there").__enter__()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    with reserve_login(store, "default", "here"):
        pass

"""Login, token and logout with a real Secret Service, and with a keyring that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.visitor import VISITOR
from tests.support.waiting import wait_until
from withings_auth.config.places import state_place

if TYPE_CHECKING:
    from tests.support.keyring_daemon import Bus, SecretService
    from tests.support.logins import Desk


def use_keyring(desk: Desk, bus: Bus) -> None:
    """Makes the desk's programs use the keyring on this bus."""
    desk.env.update(bus.environ)
    desk.env["WITHINGS_AUTH_STORE"] = None


def test_login_renewal_and_logout(desk: Desk, secret_service: SecretService) -> None:
    """Statement 24: tokens and app are in the keyring, readable by secret-tool; a logout leaves nothing behind."""
    use_keyring(desk, secret_service)
    finished = desk.run("login", BROWSER=VISITOR)
    assert finished.returncode == 0, finished.stderr
    assert "Saved in the keyring of this desktop (Secret Service)." in finished.stderr
    app = f"withings-auth/app/{desk.sandbox.client_id}"
    assert secret_service.services() == [app, "withings-auth/token/default"]
    record = json.loads(secret_service.lookup("withings-auth/token/default", "withings-auth") or "")
    assert record["userid"] == str(desk.sandbox.people[0].userid)
    assert desk.run("token").stdout.strip() == record["access_token"]
    desk.sandbox.advance(3 * 3600)
    record |= {"expires_at": record["expires_at"] - 10_800, "obtained_at": record["obtained_at"] - 10_800}
    secret_service.rewrite("withings-auth/token/default", json.dumps(record))
    renewed = desk.run("token")
    assert (renewed.returncode, renewed.stdout.strip()) == (0, desk.sandbox.live_access_tokens[-1])
    assert renewed.stdout.strip() != record["access_token"]
    assert desk.run("logout").returncode == 0
    assert secret_service.services() == []


@pytest.mark.parametrize("problem", ["lock", "stop", "kill"])
def test_an_unusable_keyring_is_reported_before_a_browser_opens(
    desk: Desk, secret_service: SecretService, home: Path, problem: str
) -> None:
    """Statement 32: if it is locked, hangs or is gone, a login ends with exit 5 and a hint, and opens nothing."""
    use_keyring(desk, secret_service)
    getattr(secret_service, problem)()
    finished = desk.run("login", BROWSER=f"touch {home / 'opened'}")
    assert finished.returncode == 5
    assert finished.seconds < 60  # it ends by itself
    assert "hint: " in finished.stderr
    assert "Traceback" not in finished.stderr
    assert not (home / "opened").exists()


def test_a_machine_without_a_keyring(desk: Desk, bus_without_secret_service: Bus, home: Path) -> None:
    """The error says what was found, why it is unusable and what to do; nothing is silently saved elsewhere."""
    use_keyring(desk, bus_without_secret_service)
    before = set(home.rglob("*"))
    finished = desk.run("login", BROWSER=f"touch {home / 'opened'}")
    assert finished.returncode == 5
    assert "neither running nor activatable" in finished.stderr
    assert "configure --store file:" in finished.stderr
    assert not [path for path in set(home.rglob("*")) - before if path.is_file() and path.suffix != ".lock"]


def test_a_keyring_that_is_locked_during_the_login(desk: Desk, secret_service: SecretService) -> None:
    """Statement 19: a failed save is no success, neither on the page nor in the exit code."""
    use_keyring(desk, secret_service)
    login = desk.start()
    wait_until((Path(state_place()) / f"app/{desk.sandbox.client_id}.stamp").exists)  # the app is saved
    secret_service.lock()
    page = login.allow()
    assert page.http_status == 500
    assert "could not be saved" in page.text
    assert login.wait().returncode == 5


def test_a_keyring_that_forgets_costs_nobody_a_login(desk: Desk, secret_service: SecretService) -> None:
    """Statement 50: asked with keyring's null backend, anna's login stays listed, and stays renewable."""
    use_keyring(desk, secret_service)
    for person, profile in enumerate(("default", "anna"), start=1):
        assert desk.log_in("--profile", profile, person=person).returncode == 0
    app = f"withings-auth/app/{desk.sandbox.client_id}"
    for command in ("token", "status", "logout"):
        asked = desk.run(command, "--profile", "anna", PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring")
        assert (asked.returncode, asked.stdout) == (5, "")
        assert "it keeps nothing" in asked.stderr
    assert desk.run("logout").returncode == 0
    assert secret_service.services() == [app, "withings-auth/token/anna"]
    assert desk.run("logout", "--all").returncode == 0
    assert secret_service.services() == []

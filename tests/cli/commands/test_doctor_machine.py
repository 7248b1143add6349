"""What `withings-auth doctor` says about settings, port, store and keyring."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands.doctor_report import (
    failures,
    files,
    findings,
    steady_environment,
    verdicts,
    with_keyring,
)
from tests.support.visitor import VISITOR
from withings_auth.doctor.checklist import NAMES

if TYPE_CHECKING:
    from tests.support.keyring_daemon import Bus, SecretService
    from tests.support.logins import Desk


@pytest.fixture(autouse=True)
def _steady_environment(desk: Desk) -> None:
    desk.env |= steady_environment()


class TestSetup:
    def test_a_configuration_that_cannot_be_read(self, desk: Desk, home: Path) -> None:
        """What depends on it is skipped, and nothing is guessed."""
        (home / ".config" / "withings-auth").mkdir(parents=True)
        (home / ".config" / "withings-auth" / "config.toml").write_text("nonsense")
        finished = desk.run("doctor", "--json")
        found = findings(finished)
        assert failures(finished) == {"Settings"}
        assert "is not TOML" in found["Settings"]["words"]
        assert {found[name]["verdict"] for name in NAMES[5:]} == {"skipped"}

    @pytest.mark.parametrize(("flag", "name"), [("--profile", "../x"), ("--profile", "nul")])
    def test_an_invalid_profile(self, desk: Desk, flag: str, name: str) -> None:
        assert failures(desk.run("doctor", "--json", flag, name)) == {"Settings"}

    def test_an_unknown_store(self, desk: Desk) -> None:
        finished = desk.run("doctor", "--json", WITHINGS_AUTH_STORE="file:relative")
        assert failures(finished) == {"Store"}
        assert verdicts(finished, "Store works", "App", "Token") == ("skipped",) * 3

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    def test_a_port_that_is_taken_in_one_family(self, desk: Desk, host: str) -> None:
        """Statement 4: it is named, with the program that holds it."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, desk.port), family=family):
            finished = desk.run("doctor", "--json")
        assert failures(finished) == {"Port"}
        assert f":{desk.port}" in findings(finished)["Port"]["words"]

    def test_a_redirect_uri_that_can_never_work(self, desk: Desk) -> None:
        finished = desk.run("doctor", "--json", WITHINGS_REDIRECT_URI="http://localhost:8000#x")
        assert failures(finished) == {"Redirect URI"}
        assert verdicts(finished, "Port") == ("skipped",)

    def test_a_file_that_others_can_read(self, desk: Desk, home: Path) -> None:
        desk.put_login()
        (home / "store" / "token" / "default.json").chmod(0o644)
        finished = desk.run("doctor", "--json")
        assert failures(finished) == {"Permissions", "Login"}
        assert findings(finished)["Permissions"]["remedy"] == "chmod 600 ~/store/token/default.json"
        assert verdicts(finished, "Store works", "Token") == ("ok", "skipped")

    def test_a_directory_that_others_can_read(self, desk: Desk, home: Path) -> None:
        """Then the store refuses every record, and its contents are not asked for."""
        desk.put_login()
        (home / "store").chmod(0o755)
        finished = desk.run("doctor", "--json")
        assert failures(finished) == {"Store works", "Permissions", "Lock"}
        assert verdicts(finished, "App", "Login", "Token") == ("skipped",) * 3


class TestKeyring:
    def test_a_real_one(self, desk: Desk, secret_service: SecretService, home: Path) -> None:
        """A probe is saved, read and removed; the real records, the index and the home do not change."""
        with_keyring(desk, secret_service)
        assert desk.run("login", BROWSER=VISITOR).returncode == 0
        records, before = secret_service.services(), files(home)
        finished = desk.run("doctor", "--json")
        assert failures(finished) == set()
        names = ("Store", "Store works", "Permissions", "Lock", "App", "Login", "Token")
        assert verdicts(finished, *names) == ("ok", "ok", "skipped", "ok", "ok", "ok", "ok")
        assert "Secret Service" in findings(finished)["Store"]["words"]
        assert "ms" in findings(finished)["Store works"]["words"]
        assert secret_service.services() == records
        assert files(home) == before

    def test_a_bus_without_a_keyring(self, desk: Desk, bus_without_secret_service: Bus, home: Path) -> None:
        with_keyring(desk, bus_without_secret_service)
        before = files(home)
        finished = desk.run("doctor", "--json")
        assert failures(finished) == {"Store"}
        assert "configure --store file:" in findings(finished)["Store"]["remedy"]
        assert verdicts(finished, "Store works", "Lock", "App", "Login") == ("skipped", "ok", "skipped", "skipped")
        assert files(home) == before

    @pytest.mark.parametrize("trouble", ["lock", "stop", "kill"])
    def test_one_that_cannot_be_used(self, desk: Desk, secret_service: SecretService, home: Path, trouble: str) -> None:
        """Statement 32: locked, hanging or gone: it is asked once, not again by every later check."""
        with_keyring(desk, secret_service)
        getattr(secret_service, trouble)()
        before = files(home)
        finished = desk.run("doctor", "--json")
        assert failures(finished) == {"Store" if trouble == "kill" else "Store works"}
        assert finished.seconds < 30
        assert verdicts(finished, "App", "Login", "Token") == ("skipped",) * 3
        assert files(home) == before

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_an_interrupt_leaves_no_probe(
        self, desk: Desk, secret_service: SecretService, home: Path, number: signal.Signals, code: int
    ) -> None:
        """Ctrl-C while the keyring is saving a record: once it continues, the record is removed."""
        with_keyring(desk, secret_service)
        before = files(home)
        secret_service.stop()
        program = desk.cli.start("doctor", env=desk.env)
        program.stdout.line("Settings")
        desk.wait_for(lambda: list(home.rglob("probe/*.lock")) != [])
        program.signal(number)
        secret_service.resume()
        finished = program.wait()
        assert finished.returncode == code
        assert "Traceback" not in finished.stderr
        assert secret_service.services() == []
        assert files(home) == before

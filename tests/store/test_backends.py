"""Which keyring is used: one that protects its contents, or the one that the user named."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import keyring.backend
import pytest

from withings_auth.errors import StoreUnavailable
from withings_auth.store.backends import find_backend

if TYPE_CHECKING:
    from tests.support.keyring_daemon import Bus, SecretService
    from tests.support.programs import Cli

PLUGIN = '''
"""A keyring that keeps everything in a plain file and claims the highest priority."""
import json, pathlib
from keyring.backend import KeyringBackend

FILE = pathlib.Path.home() / "plain.json"

class PlainKeyring(KeyringBackend):
    priority = 99

    def _read(self):
        return json.loads(FILE.read_text()) if FILE.exists() else {}

    def get_password(self, service, username):
        return self._read().get(service)

    def set_password(self, service, username, password):
        FILE.write_text(json.dumps(self._read() | {service: password}))

    def delete_password(self, service, username):
        held = self._read()
        del held[service]
        FILE.write_text(json.dumps(held))
'''

ROUND = """
import sys
from withings_auth.config.settings import open_store
from withings_auth.errors import WithingsAuthError
store = open_store("keyring")
try:
    with store.lock("token/default", 1) as held:
        held.save("text")
    print(store.load("token/default"), store.description)
except WithingsAuthError as error:
    print(error.exit_code, error, error.hint)
print(*sorted(name for name in sys.modules if name.startswith("keyring.backends.") or "plain" in name))
"""


@pytest.fixture
def plugin(tmp_path: Path) -> dict[str, str | None]:
    """An installed distribution with a keyring that protects nothing; returns the variables that make it importable."""
    (tmp_path / "plainkeyring.py").write_text(PLUGIN)
    info = tmp_path / "plainkeyring-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plainkeyring\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[keyring.backends]\nplain = plainkeyring\n")
    return {"PYTHONPATH": str(tmp_path)}


@pytest.fixture
def run(cli: Cli) -> Cli:
    return cli.using(sys.executable, "-c", ROUND)


class TestChoice:
    def test_a_plain_keyring_is_not_chosen_but_named(
        self, bus_without_secret_service: Bus, plugin: dict[str, str | None], run: Cli
    ) -> None:
        """Statement 39: if there is only an unprotected keyring, the error names it and says how to allow it."""
        printed = run(env=bus_without_secret_service.environ | plugin).stdout
        assert printed.startswith("5 no usable keyring: ")
        assert "plainkeyring.PlainKeyring: not known to protect its records" in printed
        assert "PYTHON_KEYRING_BACKEND" in printed
        assert not (Path.home() / "plain.json").exists()

    def test_a_plain_keyring_of_the_highest_priority_is_not_even_loaded(
        self, secret_service: SecretService, plugin: dict[str, str | None], run: Cli
    ) -> None:
        """Statement 39: beside a Secret Service no plug-in's code runs, whatever priority it claims."""
        first, modules = run(env=secret_service.environ | plugin).stdout.splitlines()
        assert first == "text the keyring of this desktop (Secret Service)"
        assert "plain" not in modules
        assert secret_service.lookup("withings-auth/token/default", "withings-auth") == "text"

    def test_a_keyring_that_was_named_is_used(
        self, secret_service: SecretService, plugin: dict[str, str | None], run: Cli
    ) -> None:
        """Statement 39: the user may choose it, and the description names it."""
        named = secret_service.environ | plugin | {"PYTHON_KEYRING_BACKEND": "plainkeyring.PlainKeyring"}
        assert run(env=named).stdout.startswith("text the keyring plainkeyring.PlainKeyring\n")
        assert (Path.home() / "plain.json").exists()
        assert secret_service.services() == []

    def test_a_keyring_named_in_keyrings_own_file_is_used(
        self, secret_service: SecretService, plugin: dict[str, str | None], run: Cli
    ) -> None:
        """keyring's configuration file is the user's choice too."""
        file = Path.home() / ".config/python_keyring/keyringrc.cfg"
        file.parent.mkdir(parents=True)
        file.write_text("[backend]\ndefault-keyring=plainkeyring.PlainKeyring\n")
        assert run(env=secret_service.environ | plugin).stdout.startswith("text the keyring plainkeyring")

    @pytest.mark.parametrize("in_file", [True, False])
    def test_an_empty_variable_counts_as_unset(
        self, secret_service: SecretService, plugin: dict[str, str | None], run: Cli, in_file: bool
    ) -> None:
        """As `env PYTHON_KEYRING_BACKEND= …` and systemd's `Environment=` leave it; the file still counts."""
        if in_file:
            file = Path.home() / ".config/python_keyring/keyringrc.cfg"
            file.parent.mkdir(parents=True)
            file.write_text("[backend]\ndefault-keyring=plainkeyring.PlainKeyring\n")
        printed = run(env=secret_service.environ | plugin | {"PYTHON_KEYRING_BACKEND": ""}).stdout
        assert printed.startswith(
            f"text the keyring {'plainkeyring' if in_file else 'of this desktop (Secret Service)'}"
        )

    @pytest.mark.parametrize(
        "name",
        ["no.such.Keyring", "keyring.backends.SecretService.Nothing", "nodots", "\x1b[31m.x"],
    )
    def test_a_keyring_that_is_not_there_is_never_replaced(
        self, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """Statement 39: if the named keyring cannot be used, no other one is; the error says what named it."""
        secret_service.enter(monkeypatch)
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", name)
        with pytest.raises(StoreUnavailable, match="PYTHON_KEYRING_BACKEND") as failed:
            find_backend()
        assert str(failed.value).isprintable()

    @pytest.mark.parametrize("name", ["null.Keyring", "chainer.ChainerBackend"])
    def test_a_keyring_that_keeps_nothing_is_no_place_to_look(
        self, bus_without_secret_service: Bus, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """Statement 50: nobody is told to log in because keyring's null, or a chain of no keyrings, has no record."""
        bus_without_secret_service.enter(monkeypatch)
        monkeypatch.setattr(keyring.backend, "get_all_keyring", list)  # some were found by an earlier test
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", f"keyring.backends.{name}")
        with pytest.raises(StoreUnavailable, match="was named, but it keeps nothing"):
            find_backend()

    def test_a_chain_of_keyrings_is_used(self, secret_service: SecretService, run: Cli) -> None:
        """With a keyring behind it, keyring's chainer is one like any other that the user named."""
        named = secret_service.environ | {"PYTHON_KEYRING_BACKEND": "keyring.backends.chainer.ChainerBackend"}
        assert run(env=named).stdout.startswith("text the keyring keyring.backends.chainer.ChainerBackend\n")
        assert secret_service.lookup("withings-auth/token/default", "withings-auth") == "text"

    def test_only_this_platforms_backends_are_loaded(self, secret_service: SecretService, run: Cli) -> None:
        """Getting a token does not load other platforms' keyrings, which is slow, and starts no discovery."""
        _, modules = run(env=secret_service.environ).stdout.splitlines()
        assert set(modules.split()) == {
            f"keyring.backends.{name}" for name in ("SecretService", "fail", "kwallet", "libsecret")
        }

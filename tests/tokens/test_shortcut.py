"""The shortcut of `withings-auth token` prints what the command would print, or gives way to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from socket import create_server
from typing import TYPE_CHECKING

import pytest

from tests.support.stores import save_record
from withings_auth.config.places import config_directory
from withings_auth.model import Grant
from withings_auth.store.file_store import FileStore
from withings_auth.store.records import token_name
from withings_auth.tokens.practice import PRACTICE_PROFILE
from withings_auth.tokens.shortcut import MIN_VALID_SECONDS, stored_token
from withings_auth.tokens.source import DEFAULT_MIN_VALID_SECONDS, TokenSource

if TYPE_CHECKING:
    from tests.support.logins import Desk
    from tests.support.programs import Cli

TOKEN = "a" * 40


def grant(*, age: int = 600, token: str = TOKEN, service: str = "https://wbsapi.withings.net") -> Grant:
    now = int(time.time())
    return Grant(
        access_token=token,
        refresh_token="r" * 40,
        obtained_at=now - age,
        expires_at=now - age + 10_800,
        scopes=("user.info",),
        userid="1",
        client_id="an-app",
        token_url=f"{service}/v2/oauth2",
    )


def save(directory: Path, saved: Grant, profile: str = "default") -> None:
    save_record(FileStore(directory), token_name(profile), saved.to_record())


@pytest.fixture(autouse=True)
def file(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The record of a valid login in the store that is set."""
    monkeypatch.setenv("WITHINGS_AUTH_STORE", f"file:{directory}")
    save(directory, grant())
    return directory / "token" / "default.json"


def configure(text: str) -> Path:
    config_directory().mkdir(parents=True, exist_ok=True)
    file = config_directory() / "config.toml"
    file.write_text(text)
    return file


class TestTheSame:
    """Each of these is an ordinary day: the shortcut answers, as the source does."""

    @pytest.mark.parametrize(
        "variables",
        [
            {},
            {"WITHINGS_CLIENT_ID": "an-app", "WITHINGS_CLIENT_SECRET": "s" * 64, "WITHINGS_SCOPES": "user.info"},
            {"WITHINGS_AUTH_API_URL": "https://wbsapi.withings.net/"},
            {"WITHINGS_AUTH_PROFILE": "DEFAULT", "WITHINGS_CLIENT_ID": "", "WITHINGS_AUTH_API_URL": ""},
        ],
    )
    def test_variables(self, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert stored_token() == TokenSource().access_token() == TOKEN

    def test_config_toml(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A store and a profile are found there, unless a variable names others."""
        save(home / "another", grant(token="mum"), "mum")
        configure('store = "file:~/another"\nprofile = "Mum"\nclient_id = "an-app"\non_renewed = "true"\n')
        monkeypatch.delenv("WITHINGS_AUTH_STORE")
        assert stored_token() == TokenSource().access_token() == "mum"
        monkeypatch.setenv("WITHINGS_AUTH_PROFILE", "dad")
        assert stored_token("mum") == "mum"
        assert stored_token() is None

    def test_a_note_of_a_renewal(self, file: Path) -> None:
        note = file.with_suffix(".attempt")
        note.write_text('{"digest": "x", "last_at": 1.0, "refusal": null}')
        note.chmod(0o600)
        assert stored_token() == TokenSource().access_token() == TOKEN

    def test_a_practice_whose_sandbox_runs(self, directory: Path) -> None:
        with closing(create_server(("127.0.0.1", 0))) as listening:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            save(directory, grant(service=url), PRACTICE_PROFILE)
            assert stored_token(PRACTICE_PROFILE) == TokenSource(PRACTICE_PROFILE).access_token() == TOKEN

    def test_the_life_that_the_command_asks_for(self) -> None:
        assert MIN_VALID_SECONDS == DEFAULT_MIN_VALID_SECONDS


def link(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to("elsewhere")


def refuse(file: Path) -> None:
    file.with_suffix(".attempt").write_text('{"digest": "x", "refusal": {"at": 1.0, "words": "no"}}')
    file.with_suffix(".attempt").chmod(0o600)


RECORDS: dict[str, Callable[[Path], object]] = {
    "none": lambda file: file.unlink(),
    "open to others": lambda file: file.chmod(0o644),
    "a link": link,
    "damaged": lambda file: file.write_text(file.read_text()[:-1]),
    "of a newer version": lambda file: file.write_text(file.read_text().replace('"version":1', '"version":2')),
    "no token": lambda file: file.write_text(file.read_text().replace(TOKEN, "\\u001b[2J")),
    "expired": lambda file: save(file.parent.parent, grant(age=10_800)),
    "about to expire": lambda file: save(file.parent.parent, grant(age=10_800 - MIN_VALID_SECONDS + 2)),
    "of the future": lambda file: save(file.parent.parent, grant(age=-100)),
    "refused": refuse,
}
VARIABLES = {
    "WITHINGS_CLIENT_ID": "another-app",
    "WITHINGS_CLIENT_SECRET": "a secret",
    "WITHINGS_SCOPES": "user info",
    "WITHINGS_AUTH_API_URL": "http://127.0.0.1:1",
    "WITHINGS_AUTH_AUTHORIZE_URL": "http://evil.example",
    "WITHINGS_AUTH_PROFILE": "../x",
    "HOME": "",
}
STORES = ["file:relative", "file:", "nowhere", "file:~nobody/x", "file:{}/../store", "file:{}/", "keyring"]
CONFIGS = [
    *('unknown = "x"', 'client_id = "a b"', 'profile = ""', 'scopes = ""', 'on_renewed = "echo \'"', "profile = 5"),
    *('profile = "a"\nprofile = "b"', "no TOML", 'client_secret = "s"'),
]


class TestGivingWay:
    @pytest.mark.parametrize("change", RECORDS.values(), ids=RECORDS)
    def test_a_record(self, file: Path, change: Callable[[Path], object]) -> None:
        change(file)
        assert stored_token() is None

    @pytest.mark.parametrize("name", VARIABLES)
    def test_a_variable(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(name, VARIABLES[name])
        if name == "HOME":
            monkeypatch.delenv("XDG_CONFIG_HOME")
            monkeypatch.setattr("platformdirs.user_config_dir", lambda *_, **__: str(Path("/nowhere/config")))
            monkeypatch.setenv("WITHINGS_AUTH_STORE", "keyring")
        assert stored_token() is None

    @pytest.mark.parametrize("store", STORES)
    def test_a_store(self, monkeypatch: pytest.MonkeyPatch, directory: Path, store: str) -> None:
        monkeypatch.setenv("WITHINGS_AUTH_STORE", store.format(directory))
        assert stored_token() is None

    @pytest.mark.parametrize("text", CONFIGS)
    def test_a_setting(self, text: str) -> None:
        configure(text)
        assert stored_token() is None

    def test_settings_that_others_may_write(self) -> None:
        """They could send the command elsewhere."""
        file = configure("")
        assert stored_token() == TOKEN
        file.chmod(0o666)
        assert stored_token() is None

    def test_a_practice_whose_sandbox_has_stopped(self, directory: Path) -> None:
        with closing(create_server(("127.0.0.1", 0))) as listening:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        save(directory, grant(service=url), PRACTICE_PROFILE)
        assert stored_token(PRACTICE_PROFILE) is None

    def test_another_system(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.platform", "darwin")
        assert stored_token() is None


class TestCommand:
    @pytest.mark.parametrize(
        ("flags", "line"),
        [
            ([], "{}\n"),
            (["--header"], "Authorization: Bearer {}\n"),
            (["--profile", "default"], "{}\n"),
            (["--profile", "Default", "--header"], "Authorization: Bearer {}\n"),
            (["--header", "--profile", "default"], "Authorization: Bearer {}\n"),
        ],
    )
    def test_what_it_prints(self, cli: Cli, flags: list[str], line: str) -> None:
        """With the flags that the shortcut knows, and with others."""
        ran = cli("token", *flags)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, line.format(TOKEN), "")

    @pytest.mark.parametrize("flags", [["--profile"], ["--profile", ""], ["--profile", "-x"], ["--head"], ["x"]])
    def test_mistakes_are_found(self, cli: Cli, flags: list[str]) -> None:
        ran = cli("token", *flags)
        assert (ran.returncode, ran.stdout) == (2, "")

    def test_the_record_of_a_real_login(self, desk: Desk, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Login and renewal write records and notes that the shortcut reads."""
        file.unlink()
        assert desk.log_in().returncode == 0
        for name, value in desk.env.items():
            monkeypatch.setenv(name, value or "")
        first = stored_token()
        assert first in desk.sandbox.live_access_tokens
        desk.sandbox.advance(11)
        assert TokenSource().token(rejected=first).access_token == stored_token() != first
        assert stored_token() in desk.sandbox.live_access_tokens

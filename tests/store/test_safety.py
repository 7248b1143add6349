"""What another user could have put there, or can change, is not obeyed: the keyring's state, locks and config.toml."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.keyrings import Keyrings
from tests.support.logins import Desk
from tests.support.stores import save_record
from withings_auth.config.settings import read_settings
from withings_auth.errors import ConfigurationError, StoreUnavailable
from withings_auth.store.base import SecretStore
from withings_auth.store.file_store import FileStore
from withings_auth.store.safety import SECRET, SETTINGS, find_fault

NOBODY = 65534
TOKEN = "token/default"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")


def give_away(path: Path) -> None:
    os.chown(path, NOBODY, NOBODY)


def let_others_in(path: Path) -> None:
    path.chmod(path.stat().st_mode | 0o007)


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


SPOILED = [
    pytest.param(give_away, "it belongs to another user", marks=as_root, id="owner"),
    pytest.param(let_others_in, "other users have access", id="mode"),
    pytest.param(link, "it is a symbolic link", id="link"),
]


@pytest.mark.parametrize("place", [".", "token"])
@pytest.mark.parametrize(("spoil", "why"), SPOILED)
def test_the_keyring_s_state_is_refused(tmp_path: Path, spoil: Callable[[Path], None], why: str, place: str) -> None:
    """Statement 45: with another owner, a wider mode or a link, nothing is locked, read or listed; exit code 5."""
    state = tmp_path / "state"
    keyrings = Keyrings(state)
    save_record(keyrings(), TOKEN, "text")
    spoil(state / place)
    uses: list[Callable[[], object]] = [
        lambda: keyrings().load(TOKEN),
        lambda: keyrings().names(),
        lambda: keyrings().lock(TOKEN, 1).__enter__(),
    ]
    for use in uses:
        with pytest.raises(StoreUnavailable, match=f"is not safe for locks: {why}") as refused:
            use()
        assert refused.value.hint


@pytest.mark.parametrize("kind", ["file", "keyring"])
@pytest.mark.parametrize(("spoil", "why"), SPOILED)
def test_a_lock_of_somebody_else_is_refused(tmp_path: Path, spoil: Callable[[Path], None], why: str, kind: str) -> None:
    """Statement 45: its owner could hold it for ever."""
    place = tmp_path / "place"
    store: SecretStore = FileStore(place) if kind == "file" else Keyrings(place)()
    save_record(store, TOKEN, "text")
    spoil(place / "token/default.lock")
    with pytest.raises(StoreUnavailable, match=f"default.lock is not safe for locks: {why}"):
        save_record(store, TOKEN, "other text")
    assert store.load(TOKEN) == "text"


def test_the_hint_can_be_pasted(tmp_path: Path) -> None:
    """A path with a blank is quoted."""
    place = tmp_path / "Application Support"
    save_record(Keyrings(place)(), TOKEN, "text")
    place.chmod(0o755)
    with pytest.raises(StoreUnavailable) as refused:
        Keyrings(place)().load(TOKEN)
    assert refused.value.hint == f"chmod 700 '{place}'"


@pytest.mark.parametrize("place", [".", "config.toml"])
@pytest.mark.parametrize(
    ("spoil", "why"), [SPOILED[0], pytest.param(let_others_in, "other users have access", id="mode")]
)
def test_a_configuration_file_of_somebody_else_is_refused(
    tmp_path: Path, spoil: Callable[[Path], None], why: str, place: str
) -> None:
    """Statement 45: whoever can write it decides where the login is kept; exit code 2."""
    (tmp_path / "config.toml").write_text('profile = "mum"')
    spoil(tmp_path / place)
    with pytest.raises(ConfigurationError, match=f"is not safe for settings: {why}") as refused:
        read_settings(environ={}, directory=tmp_path)
    assert refused.value.hint


def test_a_configuration_file_that_others_can_read_is_fine(tmp_path: Path) -> None:
    """It holds no secret, and may be a link, as managers of such files make them."""
    (tmp_path / "config.toml").write_text('profile = "mum"')
    (tmp_path / "config.toml").chmod(0o644)
    tmp_path.chmod(0o755)
    link(tmp_path / "config.toml")
    assert read_settings(environ={}, directory=tmp_path).profile == "mum"


@as_root
def test_root_may_provide_settings_but_no_secrets(tmp_path: Path) -> None:
    """Some systems install configuration files for their users."""
    (tmp_path / "file").touch(0o600)
    status = (tmp_path / "file").stat()
    assert find_fault(status, SETTINGS, NOBODY) is None
    assert find_fault(status, SECRET, NOBODY) == "it belongs to another user"


@as_root
def test_the_command_line_refuses_both(desk: Desk, home: Path) -> None:
    """Statement 45: `withings-auth token` names the directory, or the file, and hands out nothing."""
    state, config = home / ".local/state/withings-auth", home / ".config/withings-auth/config.toml"
    for path in (state / "token", config.parent):
        path.mkdir(parents=True, mode=0o700)
    give_away(state)
    refused = desk.run("token", WITHINGS_AUTH_STORE=None)
    assert (refused.returncode, refused.stdout) == (5, "")
    assert f"{state} is not safe for locks: it belongs to another user" in refused.stderr
    config.write_text('store = "file:/tmp/theirs"')
    give_away(config)
    refused = desk.run("token")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"{config} is not safe for settings: it belongs to another user" in refused.stderr

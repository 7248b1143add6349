"""What another user could have put there, or can change, is not obeyed: the keyring's state, locks and config.toml."""

from __future__ import annotations

import os
import stat
import sys
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
from withings_auth.store.safety import (
    LOCK,
    LOCKS,
    SECRET,
    SECRETS,
    SETTINGS,
    SETTINGS_PLACE,
    Rule,
    find_fault,
    refuse_unsafe,
    this_user,
)

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


OTHERS, HINT = "other users have access", "the hint of the caller"
LINK = stat.S_IFLNK | 0o777
EVERY_RULE = {"secret": SECRET, "secrets": SECRETS, "lock": LOCK, "locks": LOCKS, "settings": SETTINGS}


@pytest.mark.parametrize(
    ("rule", "mode", "user", "says", "hint"),
    [
        (SECRET, stat.S_IFREG | 0o640, 7, f"secrets: {OTHERS}", "chmod 600 '/a b'"),
        (SECRETS, stat.S_IFDIR | 0o701, 7, f"secrets: {OTHERS}", "chmod 700 '/a b'"),
        (LOCK, stat.S_IFREG | 0o602, 7, f"locks: {OTHERS}", "chmod 600 '/a b'"),
        (LOCKS, stat.S_IFDIR | 0o720, 7, f"locks: {OTHERS}", "chmod 700 '/a b'"),
        (SETTINGS, stat.S_IFREG | 0o664, 7, f"settings: {OTHERS}", "chmod go-w '/a b'"),
        (SETTINGS, stat.S_IFREG | 0o646, 7, f"settings: {OTHERS}", "chmod go-w '/a b'"),
        (SETTINGS_PLACE, stat.S_IFDIR | 0o757, 7, f"settings: {OTHERS}", "chmod go-w '/a b'"),
        (SECRET, stat.S_IFDIR | 0o700, 7, "secrets: it is not a plain file", HINT),
        (SETTINGS, stat.S_IFIFO | 0o600, 7, "settings: it is not a plain file", HINT),
        (SECRETS, stat.S_IFREG | 0o600, 7, "secrets: it is not a directory", HINT),
        (SETTINGS_PLACE, stat.S_IFREG | 0o600, 7, "settings: it is not a directory", HINT),
        *(
            (rule, stat.S_IFLNK | 0o777, 7, f"{rule.safe_for}: it is a symbolic link", HINT)
            for rule in EVERY_RULE.values()
        ),
        (SECRET, stat.S_IFREG | 0o640, 8, "secrets: it belongs to another user", "chown -R 8 '/a b'"),
        (SECRETS, stat.S_IFDIR | 0o700, 8, "secrets: it belongs to another user", "chown -R 8 '/a b'"),
        (SETTINGS, stat.S_IFREG | 0o644, 8, "settings: it belongs to another user", "chown -R 8 '/a b'"),
        (SECRET, stat.S_IFREG | 0o600, 7, None, ""),
        (SECRETS, stat.S_IFDIR | 0o700, 7, None, ""),
        (SETTINGS, stat.S_IFREG | 0o755, 7, None, ""),
        (SETTINGS_PLACE, stat.S_IFDIR | 0o755, 7, None, ""),
    ],
)
def test_what_a_rule_says(
    monkeypatch: pytest.MonkeyPatch, rule: Rule, mode: int, user: int, says: str | None, hint: str
) -> None:
    """Its path belongs to user 7; the hints can be pasted."""
    monkeypatch.setattr(os, "geteuid", lambda: user)
    path, status = Path("/a b"), os.stat_result((mode, 1, 1, 1, 7, 7, 0, 0, 0, 0))
    if says is None:
        refuse_unsafe(path, status, rule, hint=HINT)
        return
    with pytest.raises(StoreUnavailable) as refused:
        refuse_unsafe(path, status, rule, hint=HINT)
    assert str(refused.value) == f"/a b is not safe for {says}"
    if user == 7:
        assert refused.value.hint == hint
    else:
        run = "run the command as its owner (in a container: docker run --user 7)"
        yours = f"/a b belongs to user 7, and this is user 8: {run}, or make it yours, as root: "
        assert refused.value.hint == yours + hint


@pytest.mark.parametrize(("rule", "root_may"), [(rule, name == "settings") for name, rule in EVERY_RULE.items()])
def test_only_settings_may_be_roots(rule: Rule, root_may: bool) -> None:
    kind = stat.S_IFDIR if rule.kind == "a directory" else stat.S_IFREG
    status = os.stat_result((kind | 0o600, 1, 1, 1, 0, 0, 0, 0, 0, 0))
    assert find_fault(status, rule, 7) == (None if root_may else "it belongs to another user")
    assert find_fault(os.stat_result((kind | 0o777, 1, 1, 1, 8, 8, 0, 0, 0, 0)), rule, None) is None


@pytest.mark.parametrize("platform", ["linux", "win32"])
def test_windows_tells_no_user(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert this_user() == (None if platform == "win32" else os.geteuid())


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

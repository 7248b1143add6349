"""A key is written down and read again, and kept where nobody else can read or change it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.keyrings import Keyrings, MemoryKeyring
from tests.support.canaries import Canaries
from tests.support.fuzzing import all_of
from tests.support.stores import save_record
from withings_auth.errors import ConfigurationError, StoreNotDurable, StoreUnavailable
from withings_auth.store import keys as keys_module
from withings_auth.store.keys import Key, KeyFile, KeyPlace, KeyRecord, find_key_place, make_key, parse_key
from withings_auth.store.memory_store import MemoryStore

KEY = parse_key(f"withings-auth-key-1:{'A' * 43}")


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "of" / "keys")


@pytest.fixture(params=["file", "record"])
def place(request: pytest.FixtureRequest, file: KeyFile) -> KeyPlace:
    return file if request.param == "file" else KeyRecord(MemoryStore(), "key/db.example/withings/withings_auth")


def written(file: KeyFile, text: str | bytes, mode: int = 0o600) -> KeyFile:
    file.path.parent.mkdir(mode=0o700, exist_ok=True)
    file.path.write_bytes(text.encode() if isinstance(text, str) else text)
    file.path.chmod(mode)
    return file


def no_keyring() -> MemoryStore:
    raise AssertionError("the keyring was opened")


def test_a_key_is_written_down_and_read() -> None:
    """32 zero bytes have an id that anybody can compute; blanks around a pasted key do not matter."""
    assert Key(id="66687aadf862bd77", secret=bytes(32)) == KEY
    key = make_key()
    assert parse_key(f" {key.text}\r\n") == key
    assert len(key.secret) == 32
    assert key != make_key()


@pytest.mark.parametrize(
    "text", ["", "x", KEY.text[:-1], KEY.text + "A", KEY.text[:-1] + "B", KEY.text.replace("1:", "2:"), "A" * 43]
)
def test_no_other_text_is_a_key(text: str) -> None:
    with pytest.raises(ConfigurationError, match="not a key") as refused:
        parse_key(text)
    assert refused.value.hint == "a key is one line that begins with withings-auth-key-1: and is 63 characters long"
    assert len(KEY.text) == 63


def test_a_key_is_not_shown(canaries: Canaries, file: KeyFile) -> None:
    """Neither by a repr, nor by an error about a text that nearly is one, nor by one about a file with such a text."""
    key = make_key()
    texts = [canaries.plant("key", key.text), canaries.plant("rest of it", key.text[20:])]
    assert repr(key) == f"Key(id='{key.id}')"
    for text in texts:
        for refuse in (lambda text=text: parse_key(f"{text}!"), written(file, f"{text}!").load):
            with pytest.raises((ConfigurationError, StoreUnavailable)) as failed:
                refuse()
            canaries.hear("errors", all_of(failed.value) + failed.value.hint)


def test_keys_are_kept_oldest_first(place: KeyPlace) -> None:
    first, second = make_key(), make_key()
    assert place.load() == ()
    assert place.remove(first.id) is False
    assert (place.add(first), place.add(second), place.add(first)) == (True, True, False)
    assert place.load() == (first, second)
    assert (place.remove(first.id), place.remove(first.id)) == (True, False)
    assert place.load() == (second,)
    assert place.remove(second.id) is True
    assert place.load() == ()


def test_a_file_for_keys_is_private(file: KeyFile) -> None:
    file.add(KEY)
    assert (file.path.stat().st_mode & 0o777, file.path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert file.path.read_text() == f"{KEY.text}\n"


def test_what_else_is_in_the_file_stays(file: KeyFile) -> None:
    """Comments and blank lines, and a last line without an end."""
    key = make_key()
    written(file, f"# of the study\n\n{KEY.text}").add(key)
    assert file.path.read_text() == f"# of the study\n\n{KEY.text}\n{key.text}\n"
    file.remove(KEY.id)
    assert file.path.read_text() == f"# of the study\n\n{key.text}\n"
    file.add(KEY)
    assert file.path.read_text() == f"# of the study\n\n{key.text}\n{KEY.text}\n"


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.chmod(0o640), "other users have access"),
        (link, "it is a symbolic link"),
        (lambda path: (path.unlink(), path.mkdir()), "it is not a plain file"),
    ],
    ids=["mode", "link", "directory"],
)
def test_an_unsafe_file_is_refused(file: KeyFile, spoil: Callable[[Path], object], why: str) -> None:
    """Neither read nor written."""
    spoil(written(file, KEY.text).path)
    for use in (file.load, lambda: file.add(make_key()), lambda: file.remove(KEY.id)):
        with pytest.raises(StoreUnavailable, match=f"^{file.path} is not safe for keys: {why}") as failed:
            use()
        assert failed.value.hint


@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root can give a file away")
def test_root_may_provide_the_keys_but_no_other_user(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an administrator does for a container."""
    written(file, KEY.text)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert file.load() == (KEY,)
    os.chown(file.path, 1001, -1)
    with pytest.raises(StoreUnavailable, match="is not safe for keys: it belongs to"):
        file.load()


def test_a_file_that_is_exchanged_between_two_looks_is_refused(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is the file that was opened."""
    looked_good = written(file, KEY.text).path.lstat()
    file.path.chmod(0o640)
    monkeypatch.setattr(Path, "lstat", lambda _: looked_good)
    with pytest.raises(StoreUnavailable, match="is not safe for keys: other users have access"):
        file.load()


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "of").write_text("no directory")
    with pytest.raises(StoreUnavailable, match=f"{tmp_path}/of/keys"):
        KeyFile(tmp_path / "of" / "keys").load()


def assert_no_list(place: KeyPlace, where: str) -> None:
    """Neither read nor changed: it may be the wrong place."""
    for use in (place.load, lambda: place.add(KEY), lambda: place.remove(KEY.id)):
        with pytest.raises(StoreUnavailable, match=f"^what is kept in {where} is not a list of keys") as failed:
            use()
        assert failed.value.hint == "it must have one key a line, each beginning with withings-auth-key-1:"


@pytest.mark.parametrize("content", ["not a key", b"\xff", f"{KEY.text} {KEY.text}"])
def test_a_file_with_anything_else_is_refused_and_left_alone(file: KeyFile, content: str | bytes) -> None:
    before = written(file, content).path.read_bytes()
    assert_no_list(file, str(file.path))
    assert file.path.read_bytes() == before


def test_a_file_that_is_too_long_is_refused_and_left_alone(file: KeyFile) -> None:
    before = written(file, "x" * 70_000).path.read_bytes()
    for use in (file.load, lambda: file.add(KEY), lambda: file.remove(KEY.id)):
        with pytest.raises(StoreUnavailable):
            use()
    assert file.path.read_bytes() == before


def test_a_record_with_anything_else_is_refused_and_left_alone() -> None:
    store = MemoryStore()
    save_record(store, "key/here", "not a key")
    assert_no_list(KeyRecord(store, "key/here"), "this program's memory")
    assert store.load("key/here") == "not a key"


def test_a_file_that_cannot_be_written_is_an_error(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk, and as if a disk forgets."""

    def fail(path: Path, _: str) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(keys_module, "replace_file", fail)
    with pytest.raises(StoreUnavailable, match=f"{file.path}.*: No space left"):
        file.add(KEY)
    monkeypatch.setattr(keys_module, "replace_file", lambda path, text: None)  # noqa: ARG005  it forgets
    with pytest.raises(StoreNotDurable, match=f"^{file.path} does not hold the keys that were just written") as failed:
        file.add(KEY)
    assert failed.value.hint == "check the disk; another program may be writing there"


def test_a_keyring_keeps_them_in_one_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is in the place's name: it cannot leave the state directory."""
    monkeypatch.delenv("WITHINGS_AUTH_STORE_KEY_FILE", raising=False)
    keyring = MemoryKeyring()
    state = tmp_path / "state"
    for place in ("db.example/withings/withings_auth", "../../../..", "::1/a b/\\c", "/run/postgresql/x"):
        found = find_key_place(place, Keyrings(state, keyring))
        assert found.add(KEY)
        assert found.load() == (KEY,)
    assert sorted(keyring.held) == [
        "withings-auth/key/%2E%2E/%2E%2E/%2E%2E/%2E%2E",
        "withings-auth/key/%3A%3A1/a%20b/%5Cc",
        "withings-auth/key//run/postgresql/x",
        "withings-auth/key/db.example/withings/withings_auth",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_variable_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for value, path in [(str(tmp_path / "keys"), tmp_path / "keys"), ("~/keys", home / "keys")]:
        monkeypatch.setenv("WITHINGS_AUTH_STORE_KEY_FILE", value)
        assert find_key_place("a/b/c", no_keyring) == KeyFile(path)
    for value in ("keys", "./keys", "~nobody-here/keys"):
        monkeypatch.setenv("WITHINGS_AUTH_STORE_KEY_FILE", value)
        with pytest.raises(ConfigurationError, match=re.escape(f"is “{value}”, not an absolute path")) as refused:
            find_key_place("a/b/c", no_keyring)
        assert "unset it to use the keyring" in refused.value.hint
    monkeypatch.setenv("WITHINGS_AUTH_STORE_KEY_FILE", "")
    assert isinstance(find_key_place("a/b/c", MemoryStore), KeyRecord)

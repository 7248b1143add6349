"""A key is written down and read again, and kept where nobody else can read or change it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.keyrings import Keyrings, MemoryKeyring
from tests.support.canaries import Canaries
from tests.support.fuzzing import all_of
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
    with pytest.raises(ConfigurationError, match="not a key"):
        parse_key(text)


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
        with pytest.raises(StoreUnavailable, match=why) as failed:
            use()
        assert failed.value.hint


@pytest.mark.parametrize("content", ["not a key", b"\xff", f"{KEY.text} {KEY.text}", "x" * 70_000])
def test_a_file_with_anything_else_is_refused_and_left_alone(file: KeyFile, content: str | bytes) -> None:
    """Even to add a key there: it may be the wrong file."""
    before = written(file, content).path.read_bytes()
    for use in (file.load, lambda: file.add(KEY), lambda: file.remove(KEY.id)):
        with pytest.raises(StoreUnavailable):
            use()
    assert file.path.read_bytes() == before


def test_a_file_that_cannot_be_written_is_an_error(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk, and as if a disk forgets."""

    def fail(path: Path, _: str) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(keys_module, "replace_file", fail)
    with pytest.raises(StoreUnavailable, match="No space left"):
        file.add(KEY)
    monkeypatch.setattr(keys_module, "replace_file", lambda path, text: None)  # noqa: ARG005  it forgets
    with pytest.raises(StoreNotDurable):
        file.add(KEY)


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
        with pytest.raises(ConfigurationError, match=re.escape(f"is “{value}”, not an absolute path")):
            find_key_place("a/b/c", no_keyring)
    monkeypatch.setenv("WITHINGS_AUTH_STORE_KEY_FILE", "")
    assert isinstance(find_key_place("a/b/c", MemoryStore), KeyRecord)

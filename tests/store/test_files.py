"""Files are read without waiting, up to a limit, and only if they are plain."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.keyrings import Keyrings
from tests.support.logins import Desk
from withings_auth.store.base import SecretStore
from withings_auth.store.file_store import FileStore
from withings_auth.store.files import LARGEST_FILE_BYTES, NotPlain, read_plain
from withings_auth.tokens.source import TokenSource

SPECIAL: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "directory": Path.mkdir,
}
every_special = pytest.mark.parametrize("make", SPECIAL.values(), ids=SPECIAL)


@every_special
def test_only_a_plain_file_is_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Statement 48: anything else is an error at once."""
    make(tmp_path / "file")
    with pytest.raises(NotPlain, match="it is not a regular file"):
        read_plain(tmp_path / "file")


def test_a_pipe_that_took_the_file_s_place_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Statement 48: what is opened is looked at again."""
    (tmp_path / "file").touch()
    before = (tmp_path / "file").stat()
    (tmp_path / "file").unlink()
    os.mkfifo(tmp_path / "file")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", lambda _: before)
        with pytest.raises(NotPlain):
            read_plain(tmp_path / "file")


def test_a_file_has_a_limit(tmp_path: Path) -> None:
    """Statement 48: a larger file is refused as a whole, never cut."""
    file = tmp_path / "file"
    file.write_bytes(b"x" * LARGEST_FILE_BYTES)
    assert len(read_plain(file)) == LARGEST_FILE_BYTES
    file.write_bytes(b"x" * (LARGEST_FILE_BYTES + 1))
    with pytest.raises(OSError, match="it has more than 65,536 bytes"):
        read_plain(file)


@every_special
@pytest.mark.parametrize("kind", ["file", "keyring"])
def test_notes_that_are_no_file_count_as_none(tmp_path: Path, make: Callable[[Path], None], kind: str) -> None:
    """Statement 48: nobody waits for them."""
    store: SecretStore = FileStore(tmp_path) if kind == "file" else Keyrings(tmp_path)()
    (tmp_path / "token").mkdir(0o700)
    tmp_path.chmod(0o700)
    make(tmp_path / "token/default.attempt")
    with store.lock("token/default", 1) as held:
        assert held.notes.recall() is None


def test_a_pipe_as_notes_does_not_stop_a_renewal(desk: Desk) -> None:
    """Statement 48: the token is renewed, and the notes are a file again."""
    expired = desk.put_login(age=10_800).access_token
    notes = desk.directory / "token/default.attempt"
    os.mkfifo(notes)
    assert TokenSource(store=FileStore(desk.directory)).access_token() != expired
    assert notes.is_file()

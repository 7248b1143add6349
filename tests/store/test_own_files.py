"""`read_own` reads what only this user can have written, and nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.other_user import UNKNOWN_UID, needs_root
from withings_auth.store.own_files import LARGEST_BYTES, Unusual, read_own


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A private file in two private directories."""
    place = tmp_path / "store" / "token"
    for directory in (place.parent, place):
        directory.mkdir(mode=0o700)
    file = place / "default.json"
    file.write_text("text")
    file.chmod(0o600)
    return file


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def replace_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir(0o700)


UNUSUAL: dict[str, Callable[[Path], object]] = {
    "readable by others": lambda file: file.chmod(0o640),
    "a link": link,
    "a pipe": replace_by_pipe,
    "a directory": replace_by_directory,
    "too large": lambda file: file.write_bytes(b"x" * (LARGEST_BYTES + 1)),
    "no text": lambda file: file.write_bytes(b"\xff"),
    "an open directory": lambda file: file.parent.chmod(0o710),
    "an open store": lambda file: file.parent.parent.chmod(0o770),
    "a linked directory": lambda file: link(file.parent),
    "a linked store": lambda file: link(file.parent.parent),
}


def test_a_private_file_is_read(file: Path) -> None:
    assert read_own(str(file)) == "text"


@pytest.mark.parametrize("change", UNUSUAL.values(), ids=UNUSUAL)
def test_anything_unusual_is_not(file: Path, change: Callable[[Path], object]) -> None:
    """Nor is it waited for, as a pipe would be."""
    change(file)
    with pytest.raises(Unusual):
        read_own(str(file))


def test_only_two_directories_must_be_safe(file: Path) -> None:
    """The home that they are in need not be private."""
    file.parent.parent.parent.chmod(0o755)
    assert read_own(str(file)) == "text"


def test_what_took_its_place_is_looked_at_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.stat() for path in [file, *file.parents][:3]}
    file.chmod(0o644)
    monkeypatch.setattr(os, "stat", lambda path, follow_symlinks: before[Path(path)])  # noqa: ARG005  as `stat` has it
    with pytest.raises(Unusual):
        read_own(str(file))


def test_windows_tells_nothing_about_owners(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(Unusual):
        read_own(str(file))


@needs_root
@pytest.mark.parametrize("level", [0, 1, 2])
def test_what_belongs_to_another_user_is_not(file: Path, level: int) -> None:
    os.chown([file, *file.parents][level], UNKNOWN_UID, -1)
    with pytest.raises(Unusual):
        read_own(str(file))


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_what_is_missing_is_none(file: Path, missing: int) -> None:
    path = [file, *file.parents][missing]
    path.rename(path.with_name("away"))
    assert read_own(str(file)) is None


def test_settings_may_be_read_by_others_and_be_a_link(file: Path) -> None:
    """As of users who keep their settings under version control; but nobody else may write them."""
    link(file)
    file.chmod(0o644)
    assert read_own(str(file), places=1, others_may_not=0o022, follow=True) == "text"
    file.parent.chmod(0o770)
    with pytest.raises(Unusual):
        read_own(str(file), places=1, others_may_not=0o022, follow=True)

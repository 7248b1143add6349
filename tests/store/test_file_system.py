"""File systems that others may share are recognised, and what they say about a record's age is not believed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.keyrings import Keyrings
from tests.support.logins import Desk
from tests.support.stores import save_record
from withings_auth.store import file_system
from withings_auth.store.base import SecretStore
from withings_auth.store.file_store import FileStore
from withings_auth.tokens.source import TokenSource

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the type")

STORES: dict[str, Callable[[Path], SecretStore]] = {"file": FileStore, "keyring": lambda path: Keyrings(path)()}


def write_mounts(directory: Path, kind: str) -> Path:
    """Returns a list of mounts in which the directory is on a file system of this type."""
    device = directory.stat().st_dev
    table = directory / "mountinfo"
    table.write_text(
        "22 27 0:9999 / /proc rw,relatime - proc proc rw\n\nnonsense\n"
        f"36 35 {os.major(device)}:{os.minor(device)} / {directory} rw,noatime master:1 - {kind} server:/x rw\n"
    )
    return table


@pytest.mark.parametrize(
    "kind",
    ["nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph", "fuse", "fuse.sshfs", "fuse.rclone", "fuse.gvfsd-fuse"],
)
def test_a_shared_one_is_recognised(tmp_path: Path, kind: str) -> None:
    """Even before the directory exists."""
    assert file_system.is_shared(tmp_path / "not yet/there", write_mounts(tmp_path, kind))


@pytest.mark.parametrize("kind", ["ext4", "btrfs", "xfs", "tmpfs", "overlay", "fuseblk", "ecryptfs", ""])
def test_a_disk_of_this_machine_is_none(tmp_path: Path, kind: str) -> None:
    """NTFS on a local disk is a fuseblk."""
    assert not file_system.is_shared(tmp_path, write_mounts(tmp_path, kind))


def test_a_link_is_followed(tmp_path: Path) -> None:
    """The store is where its directory leads."""
    (tmp_path / "link").symlink_to("/proc/self")
    assert file_system.file_system(tmp_path / "link") == "proc"


def test_a_system_that_does_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the list, or without the device in it, a file system counts as a local one."""
    (tmp_path / "empty").touch()
    assert file_system.file_system(tmp_path, tmp_path / "empty") == ""
    assert not file_system.is_shared(tmp_path, tmp_path / "no such file")
    mounts = write_mounts(tmp_path, "nfs")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not file_system.is_shared(tmp_path, mounts)


def test_the_list_is_read_whatever_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names in no known encoding, and a source with the mark that comes before the type."""
    mounts = write_mounts(tmp_path, "nfs4")
    mounts.write_bytes(b"1 1 0:1 / /\xff rw - ext4 \xff rw\n" + mounts.read_bytes().replace(b":/x", b" - x"))
    assert file_system.file_system(tmp_path, mounts) == "nfs4"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert file_system.file_system(tmp_path, mounts) == ""


@pytest.mark.parametrize("make", STORES.values(), ids=STORES)
def test_a_shared_store_has_no_stamp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], SecretStore]
) -> None:
    """Its attributes may be a copy from before a save by another machine."""
    tmp_path.chmod(0o700)
    monkeypatch.setattr(file_system.is_shared, "__defaults__", (write_mounts(tmp_path, "fuse.sshfs"),))
    store = make(tmp_path)
    save_record(store, "token/default", "text")
    assert (store.stamp("token/default"), store.load("token/default")) == (None, "text")
    assert store.names() == ["token/default"]


def test_memory_is_not_believed_there(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A pair that another machine has saved is handed out although every attribute of the file stays as it was."""
    mounts = write_mounts(tmp_path, "nfs4")
    monkeypatch.setattr(file_system.is_shared, "__defaults__", (mounts,))
    store = FileStore(desk.directory)
    first = desk.put_login()
    source = TokenSource(store=store)
    assert source.access_token() == first.access_token
    path = desk.directory / "token/default.json"
    before = path.stat()
    other = "f" * len(first.access_token)
    path.write_text(path.read_text().replace(first.access_token, other))  # in place, so that it keeps its identity
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert source.access_token() == other

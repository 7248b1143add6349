"""Which store a name describes."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from withings_auth import store
from withings_auth.errors import ConfigurationError
from withings_auth.store import expanded_name, open_named_store
from withings_auth.store.file_store import FileStore
from withings_auth.store.keyring_store import KeyringStore
from withings_auth.store.keys import KeyRecord
from withings_auth.store.sealed_store import SealedStore

NO_STORES = ["", "keyrings", "file", "file:", "file:x", "files:/x", "/x", "file:/x\0y", "file:~nobody-here/x", ":/x"]


def test_nothing_is_loaded_for_the_type_checker() -> None:
    assert "Path" not in runpy.run_path(store.__file__ or "")


def test_a_keyring_has_its_state_elsewhere(tmp_path: Path) -> None:
    """On a terminal there is time to unlock it, and somebody to tell."""
    told: list[str] = []
    opened = open_named_store("keyring", tmp_path)
    assert isinstance(opened, KeyringStore)
    assert (opened._state, opened._keyring.patience_seconds) == (tmp_path, 10)
    opened._keyring.announce()
    opened = open_named_store("keyring", tmp_path, on_a_terminal=True, announce=lambda: told.append("locked"))
    assert isinstance(opened, KeyringStore)
    assert opened._keyring.patience_seconds == 60
    opened._keyring.announce()
    assert told == ["locked"]


def test_the_keys_of_a_database_are_in_a_keyring_that_can_ask_too(tmp_path: Path) -> None:
    told: list[str] = []
    opened = open_named_store(
        "postgresql://db.example.org/d", tmp_path, on_a_terminal=True, announce=lambda: told.append("locked")
    )
    assert isinstance(opened, SealedStore)
    assert isinstance(opened.keys, KeyRecord)
    keyring = opened.keys.store
    assert isinstance(keyring, KeyringStore)
    assert (keyring._state, keyring._keyring.patience_seconds) == (tmp_path, 60)
    keyring._keyring.announce()
    assert told == ["locked"]


@pytest.mark.parametrize(("name", "below_home"), [("file:~/a:b", "a:b"), ("file:{home}/x", "x")])
def test_files_are_in_an_absolute_directory(home: Path, name: str, below_home: str) -> None:
    """Which may have a colon in its name."""
    name = name.format(home=home)
    opened = open_named_store(name, Path("unused"))
    assert isinstance(opened, FileStore)
    assert opened.directory == home / below_home
    assert expanded_name(name) == f"file:{home}/{below_home}"


@pytest.mark.parametrize("name", NO_STORES)
def test_any_other_name_is_an_error(home: Path, name: str) -> None:
    assert home.exists()
    for place, options in (("store", {}), ("WITHINGS_AUTH_STORE", {"place": "WITHINGS_AUTH_STORE"})):
        with pytest.raises(ConfigurationError) as refused:
            open_named_store(name, Path("unused"), **options)  # type: ignore[arg-type]  # from a table
        shown = name.replace("\0", "\\x00")
        assert str(refused.value) == f"{place} is “{shown}”, not a store"
        assert refused.value.hint.startswith("a store is “keyring”, or “file:” and an absolute directory")


@pytest.mark.parametrize("name", ["keyring", "file", "file:", "files:~/x", "file:~nobody-here/x"])
def test_a_name_without_a_directory_stays_as_it_is(name: str) -> None:
    assert expanded_name(name) == name

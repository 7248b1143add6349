"""Windows keeps at most 2,560 bytes of UTF-16 in a credential: our records fit, and one that does not is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from keyring.backends import Windows

from tests.store.keyrings import MemoryKeyring
from tests.support.stores import save_record
from withings_auth.errors import StoreNotDurable
from withings_auth.model import ALL_SCOPES, App, Endpoints, Grant
from withings_auth.store.backends import Backend, find_backend
from withings_auth.store.keyring_store import KeyringStore
from withings_auth.store.records import app_name, token_name

LIMIT_BYTES = 2560
LATEST = (1 << 40) - 1
LONGEST_CLIENT_ID = "c" * 128

TOKEN = token_name("default")
APP = app_name(LONGEST_CLIENT_ID)


class CredentialManager(MemoryKeyring):
    """Windows' keyring with its limit, beyond which it raises an error that is not one of keyring's."""

    priority = 5

    def happens(self, secret: str = "") -> None:
        if len(secret.encode("utf-16-le")) > LIMIT_BYTES:
            raise OSError(1783, "The stub received bad data.")


CredentialManager.__module__, CredentialManager.__name__ = Windows.__name__, "WinVaultKeyring"


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Backend:
    """The backend that is found if Windows' own keyring is there."""
    monkeypatch.setattr(Windows, "WinVaultKeyring", CredentialManager)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.Windows.WinVaultKeyring")
    return find_backend()


@pytest.fixture
def keyring(backend: Backend) -> MemoryKeyring:
    assert isinstance(backend.keyring, MemoryKeyring)
    return backend.keyring


@pytest.fixture
def store(backend: Backend, tmp_path: Path) -> KeyringStore:
    return KeyringStore(tmp_path, choose=lambda: backend)


def grant(*, token_characters: int = 40) -> str:
    """The largest login at Withings: everything is as long as we accept, and every scope was granted."""
    return Grant(
        access_token="a" * token_characters,
        refresh_token="r" * token_characters,
        expires_at=LATEST,
        obtained_at=LATEST,
        scopes=ALL_SCOPES,
        userid="9" * 64,
        client_id=LONGEST_CLIENT_ID,
        token_url=Endpoints().token_url,
    ).to_record()


def app(*, redirect_uri_characters: int = 64) -> str:
    """The largest app: its secret consists of the one character that JSON doubles."""
    return App(
        client_id=LONGEST_CLIENT_ID,
        client_secret="\\" * 256,
        redirect_uri="https://".ljust(redirect_uri_characters, "r"),
    ).to_record()


@pytest.mark.parametrize(
    ("name", "record"),
    [
        pytest.param(TOKEN, grant(), id="tokens as Withings gives them"),
        pytest.param(TOKEN, grant(token_characters=415), id="tokens ten times as long"),
        pytest.param(APP, app(redirect_uri_characters=500), id="a redirect URI of 500 characters"),
        pytest.param(TOKEN, "x" * (LIMIT_BYTES // 2), id="the limit itself"),
    ],
)
def test_the_largest_records_fit_and_are_written_once(
    store: KeyringStore, keyring: MemoryKeyring, name: str, record: str
) -> None:
    """Each record is one credential of its own, within the limit, and each save is one write."""
    assert len(record.encode("utf-16-le")) <= LIMIT_BYTES
    for _ in range(2):
        save_record(store, name, record)
    assert keyring.asked == [("set", f"withings-auth/{name}")] * 2
    assert store.load(name) == record


@pytest.mark.parametrize(
    ("name", "record"),
    [
        pytest.param(TOKEN, grant(token_characters=416), id="longer tokens"),
        pytest.param(TOKEN, grant(token_characters=2048), id="the longest tokens that we accept"),
        pytest.param(APP, app(redirect_uri_characters=2000), id="the longest redirect URI"),
    ],
)
def test_a_larger_record_is_refused_before_anything_is_written(
    store: KeyringStore, keyring: MemoryKeyring, name: str, record: str
) -> None:
    """The saved record stays, and the error names the limit and a way out."""
    save_record(store, name, "what was there")
    with pytest.raises(StoreNotDurable, match="holds at most 2560 bytes per record, but this one has ") as refused:
        save_record(store, name, record)
    assert "configure --store file:" in refused.value.hint
    assert keyring.asked == [("set", f"withings-auth/{name}")]
    assert store.load(name) == "what was there"


def test_other_keyrings_have_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other keyrings do not refuse what only Windows cannot hold."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    assert find_backend().largest_record_bytes is None

"""A store that holds one app: it is the default, as on a new machine or in a container that has only the store."""

from __future__ import annotations

import pytest

from tests.support.logins import Desk
from tests.support.stores import save_record
from tests.support.visitor import VISITOR
from withings_auth.config.settings import known_app, read_settings
from withings_auth.model import App
from withings_auth.sandbox import Sandbox
from withings_auth.store.base import SecretStore
from withings_auth.store.file_store import FileStore
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.records import app_name


def save(store: SecretStore, *client_ids: str) -> None:
    for client_id in client_ids:
        app = App(client_id=client_id, client_secret=f"secret-of-{client_id}", redirect_uri="http://localhost:8765")
        save_record(store, app_name(client_id), app.to_record())


@pytest.mark.parametrize(
    ("saved", "variables", "known"),
    [
        (("one",), {}, ("one", "secret-of-one")),
        ((), {}, (None, None)),
        (("one", "two"), {}, (None, None)),
        (("one",), {"WITHINGS_CLIENT_ID": "set"}, ("set", None)),
        (("one",), {"WITHINGS_CLIENT_SECRET": "set"}, ("one", "set")),
        (("sandbox-1",), {}, (None, None)),
        (("one", "sandbox-1"), {}, ("one", "secret-of-one")),
        (("sandbox-1",), {"WITHINGS_AUTH_API_URL": "http://localhost:1"}, ("sandbox-1", "secret-of-sandbox-1")),
    ],
    ids=["one", "none", "two", "another is set", "its secret is set", "a practice", "beside a practice", "practising"],
)
def test_one_app_is_the_default(
    saved: tuple[str, ...], variables: dict[str, str], known: tuple[str | None, str | None]
) -> None:
    """Unless another one is set; what a practice login left is no app of Withings'."""
    store = MemoryStore()
    save(store, *saved)
    app = known_app(read_settings(environ=variables), store)
    assert (app.client_id, app.client_secret) == known


def test_a_sandboxs_app_is_known_by_its_client_id(sandbox: Sandbox) -> None:
    """The store shares no code with the sandbox, so only this test holds both to the same beginning."""
    store = MemoryStore()
    save(store, sandbox.client_id)
    assert known_app(read_settings(environ={}), store).client_id is None


def test_a_file_of_another_name_is_no_app() -> None:
    store = MemoryStore()
    save_record(store, app_name("not an id"), "{}")
    assert known_app(read_settings(environ={}), store).client_id is None


def test_the_store_alone_is_enough_for_a_login(desk: Desk) -> None:
    """It has the app, and knows the registered URL, so nothing is asked and nothing must be set."""
    app = App(
        client_id=desk.sandbox.client_id,
        client_secret=desk.canaries.plant("the client secret", desk.sandbox.client_secret),
        redirect_uri=desk.redirect_uri,
    )
    save_record(FileStore(desk.directory), app_name(app.client_id), app.to_record())
    names = ("WITHINGS_CLIENT_ID", "WITHINGS_CLIENT_SECRET", "WITHINGS_REDIRECT_URI")
    desk.env |= dict.fromkeys(names) | {"BROWSER": VISITOR}
    assert "Withings accepts this client id" in desk.run("configure", "--check").stderr
    logged_in = desk.run("login", "--profile", "mum")
    assert logged_in.returncode == 0, logged_in.stderr
    assert desk.run("token", "--profile", "mum").returncode == 0

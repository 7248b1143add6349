"""Where everything is measured: a temporary home with a login in each store, and a sandbox instead of Withings."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.support import isolation, postgresql
from tests.support.stores import save_record
from withings_auth.model import App, Grant
from withings_auth.sandbox import Sandbox
from withings_auth.store import KEYRING, open_named_store
from withings_auth.store.base import SecretStore, together
from withings_auth.store.keys import KEY_FILE_VARIABLE
from withings_auth.store.records import app_name, load_grant, token_name
from withings_auth.store.rekeying import prepare_key
from withings_auth.store.sealed_store import SealedStore

LIFE_SECONDS = 10_800
FILES, SECRET_SERVICE, DATABASE = "files", "Secret Service", "database"
# Prefixes of variables that make some libraries load certificates at once. Few users have them.
_OF_THE_NETWORK = ("SSL_CERT_", "REQUESTS_CA_", "CURL_CA_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """A store, and the variables that make programs use it."""

    store: SecretStore
    variables: dict[str, str]


class Desk:
    """Isolates this process in `home`, with a sandbox, and a real keyring if the machine has one."""

    def __init__(self, home: Path, running: contextlib.ExitStack) -> None:
        self.home = home
        self.running = running
        running.callback(_replace_environment, dict(os.environ))
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OF_THE_NETWORK)}
        _replace_environment(isolation.environment(home, inherited))
        self.sandbox = running.enter_context(Sandbox())
        self.app = App(client_id=self.sandbox.client_id, client_secret=self.sandbox.client_secret)
        programs = ("dbus-daemon", "gnome-keyring-daemon", "secret-tool")
        missing = [program for program in programs if not shutil.which(program)]
        self.why_no_keyring = f"this machine has no {', no '.join(missing)}" if missing else None
        self.why_no_database = None if postgresql.find_program("postgres") else "this machine has no postgres"
        if not missing:
            self._start_keyring()

    def _start_keyring(self) -> None:
        from tests.support import keyring_daemon  # here, because only some machines can have one

        service = self.running.enter_context(keyring_daemon.SecretService())
        changed = {**os.environ, **service.environ}
        _replace_environment({name: value for name, value in changed.items() if value is not None})

    @cached_property
    def _database(self) -> postgresql.Server:
        """A real server, and the file for the keys that seal what is saved there."""
        os.environ[KEY_FILE_VARIABLE] = str(self.home / "keys")
        return self.running.enter_context(postgresql.Server(postgresql.make_cluster(self.home / "cluster")))

    def shelf(self, kind: str, name: str) -> Shelf:
        """Returns an empty store of this kind, which no other name has."""
        home = self.home / name
        if kind == FILES:
            variables = {"WITHINGS_AUTH_STORE": f"file:{home}"}
        elif kind == DATABASE:
            variables = {"WITHINGS_AUTH_STORE": self._database.new_store("")}
        else:
            home.mkdir(parents=True, exist_ok=True)
            variables = {"WITHINGS_AUTH_STORE": KEYRING, "HOME": str(home)}
        store = open_named_store(variables["WITHINGS_AUTH_STORE"], home / ".local" / "state" / "withings-auth")
        if isinstance(store, SealedStore):
            prepare_key(store)
        return Shelf(store=store, variables=variables)

    def log_in(self, shelf: Shelf, *profiles: str) -> None:
        """Saves logins at the sandbox with tokens that are valid for hours."""
        now = int(time.time())
        with together(shelf.store):
            save_record(shelf.store, app_name(self.app.client_id), self.app.to_record())
            for profile in profiles:
                pair = self.sandbox.issue_pair()
                grant = Grant(
                    access_token=pair.access_token,
                    refresh_token=pair.refresh_token,
                    obtained_at=now,
                    expires_at=now + LIFE_SECONDS,
                    scopes=pair.scopes,
                    userid=str(pair.userid),
                    client_id=self.app.client_id,
                    token_url=self.sandbox.endpoints.token_url,
                )
                save_record(shelf.store, token_name(profile), grant.to_record())

    def expire(self, shelf: Shelf, profile: str) -> Grant:
        """Lets the stored token have expired; the refresh token is as good as before."""
        now = int(time.time())
        grant = load_grant(shelf.store, profile)
        expired = dataclasses.replace(grant, obtained_at=now - LIFE_SECONDS, expires_at=now - 1)
        save_record(shelf.store, token_name(profile), expired.to_record())
        self.sandbox.advance(60)  # it answers 120 requests a minute
        return expired


def _replace_environment(variables: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)


def installed(program: str, *arguments: str) -> list[str]:
    """Returns what runs a program that is installed beside this Python, as its users start it."""
    return [str(Path(sys.executable).with_name(program)), *arguments]


def ours(*arguments: str) -> list[str]:
    """Returns what runs our command."""
    return installed("withings-auth", *arguments)


def python(program: str, *arguments: str) -> list[str]:
    """Returns what runs this program of Python."""
    return [sys.executable, "-c", program, *arguments]

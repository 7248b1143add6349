"""What is swept: five operations on a store's directory, what each promises, and how each is tried again."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from tests.sweep.orders import Call, Ended, Order
from withings_auth.model import App, Grant
from withings_auth.sandbox import Sandbox

LIFE_SECONDS = 10_800
TOKEN = "token/default.json"


class Operation:
    """An operation on a store's directory, which holds at first what `prepare` puts there."""

    order: Order
    again: Order

    def __init__(self, directory: Path, sandbox: Sandbox) -> None:
        self.directory = directory
        self.sandbox = sandbox
        self.environ = {
            "WITHINGS_AUTH_STORE": f"file:{directory}",
            "WITHINGS_AUTH_AUTHORIZE_URL": sandbox.endpoints.authorize_url,
            "WITHINGS_AUTH_API_URL": sandbox.endpoints.api_url,
        }
        self.app = App(
            client_id=sandbox.client_id,
            client_secret=sandbox.client_secret,
            redirect_uri=sandbox.redirect_uris[0],
        )

    def prepare(self) -> None:
        """Prepares the directory."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def has_happened(self, ended: Ended) -> bool:
        """Whether what exit code 0 promises is true, and stays true if the power fails."""
        return is_saved_for_good(TOKEN, ended.calls)

    @property
    def stored(self) -> Grant | None:
        """The login in the directory."""
        file = self.directory / TOKEN
        return Grant.from_record(file.read_text()) if file.exists() else None

    def issue(self, *, age: int = 0) -> Grant:
        """Returns a login that Withings has just issued, but that looks older by so many seconds."""
        pair = self.sandbox.issue_pair()
        issued = int(time.time()) - age
        return Grant(
            access_token=pair.access_token,
            refresh_token=pair.refresh_token,
            obtained_at=issued,
            expires_at=issued + LIFE_SECONDS,
            scopes=pair.scopes,
            userid=str(pair.userid),
            client_id=self.app.client_id,
            token_url=self.sandbox.endpoints.token_url,
        )

    def put_login(self, *, age: int = 0) -> None:
        """Puts a login and its app into the directory."""
        for name, record in (
            (TOKEN, self.issue(age=age).to_record()),
            (f"app/{self.app.client_id}.json", self.app.to_record()),
        ):
            file = self.directory / name
            file.parent.mkdir(mode=0o700, parents=True)
            file.touch(mode=0o600)
            file.write_text(record)
        self.directory.chmod(0o700)


class Save(Operation):
    """The first record of a store."""

    def prepare(self) -> None:
        super().prepare()
        self.order = self.again = Order(what="save", arguments=("token/default", self.issue().to_record()))


class Renewal(Operation):
    """`token`, when the stored one has expired."""

    order = Order(what="command", arguments=("token",))
    again = Order(what="ask")

    def prepare(self) -> None:
        super().prepare()
        self.put_login(age=LIFE_SECONDS)

    def has_happened(self, ended: Ended) -> bool:
        printed = ended.stdout.strip()
        return super().has_happened(ended) and self.stored is not None and printed == self.stored.access_token


class Login(Operation):
    """`login`, when there is an earlier login."""

    order = Order(what="command", arguments=("login", "--no-browser"), browses=True)
    again = Order(what="ask")

    def prepare(self) -> None:
        super().prepare()
        self.put_login(age=LIFE_SECONDS)


class Import(Operation):
    """`import` into an empty store."""

    def prepare(self) -> None:
        super().prepare()
        grant = self.issue()
        content = {
            "access_token": grant.access_token,
            "refresh_token": grant.refresh_token,
            "userid": grant.userid,
            "client_id": self.app.client_id,
            "consumer_secret": self.app.client_secret,
        }
        file = self.directory.with_name("credentials.json")
        file.write_text(json.dumps(content))
        self.order = Order(what="command", arguments=("import", str(file)))
        self.again = Order(what="import", arguments=(str(file),))


class Logout(Operation):
    """`logout`, which removes the login and its app."""

    order = again = Order(what="command", arguments=("logout",))

    def prepare(self) -> None:
        super().prepare()
        self.put_login()

    def has_happened(self, ended: Ended) -> bool:
        left = [path for path in self.directory.rglob("*") if path.is_file() and path.suffix != ".lock"]
        return not left and is_gone_for_good(TOKEN, ended.calls)


OPERATIONS = (Save, Renewal, Login, Import, Logout)


def is_saved_for_good(file: str, calls: Sequence[Call]) -> bool:
    """Whether the file's content was synced before it got its name, and its directory after that, if new by name."""
    made = [(call.name, call.file) for call in calls if not call.error]
    parent, _, name = file.rpartition("/")
    if ("mkdir", parent) in made and ("fsync", ".") not in made[made.index(("mkdir", parent)) :]:
        return False
    if ("rename", file) not in made:
        return False
    renamed = len(made) - 1 - made[::-1].index(("rename", file))
    content = [call for call, of in made[:renamed] if of.startswith(f"{parent}/.{name}.")]
    synced = "fsync" in content[len(content) - content[::-1].index("write") :]
    return synced and ("fsync", parent) in made[renamed:]


def is_gone_for_good(file: str, calls: Sequence[Call]) -> bool:
    """Whether the file's directory was synced after the file was removed."""
    made = [(call.name, call.file) for call in calls if not call.error]
    gone = made.index(("unlink", file)) if ("unlink", file) in made else len(made)
    return ("fsync", file.rpartition("/")[0]) in made[gone:]

"""The other side of `processes`: forks a process for each order, which asks for a token and may die on the way.

It has imported everything before it forks, so that a process that is killed, and a fresh one that asks after it, cost
some milliseconds. It is single-threaded when it forks. Tokens stay inside: it reports digests.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote

from keyring.backend import KeyringBackend

from tests.support.stores import Wrapped
from tests.tokens.scene import digest
from withings_auth.errors import WithingsAuthError
from withings_auth.provider.http import post
from withings_auth.provider.replies import Outcome
from withings_auth.store import is_database, open_named_store
from withings_auth.store.backends import Backend
from withings_auth.store.base import HeldName, Notes, SecretStore
from withings_auth.store.file_store import FileStore
from withings_auth.store.keyring_store import KeyringStore
from withings_auth.tokens.renewal import Effects, renew
from withings_auth.tokens.requirement import Requirement

Reach = Callable[[str], None]

# The system call during a save or a note of the file store before which the process dies, and its number.
IN_A_CALL = {
    "noting: no name yet": ("replace", 1),
    "saving: not synced": ("fsync", 1),
    "saving: no name yet": ("replace", 1),
    "saving: directory not synced": ("fsync", 2),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a process should do.

    `store` is `file:DIRECTORY`, `keyring:STATE`, `replacing:DIRECTORY` or the name of a store in a database.
    """

    store: str
    now: float
    die_at: str = ""
    profile: str = "default"
    min_valid: float = 60
    environ: Mapping[str, str | None] = field(default_factory=dict)
    largest_file_bytes: int | None = None
    patience_seconds: float = 10


def serve() -> None:
    """Forks a process for each order on standard input, and reports its end."""
    post("http://127.0.0.1:1/", {})  # imports what the first request imports
    for line in sys.stdin:
        order = Order(**json.loads(line))
        if is_database(order.store):
            import withings_auth.store.postgresql.database_store  # noqa: F401  not for those who need no database
        child = os.fork()
        if child == 0:
            _tell(pid=os.getpid())
            _tell(**_ask(order))
            os._exit(0)
        _tell(returncode=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _tell(**what: object) -> None:
    print(json.dumps(what), flush=True)


def _ask(order: Order) -> dict[str, object]:
    for name, value in order.environ.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    if order.largest_file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order.largest_file_bytes, order.largest_file_bytes))
    waited = 0.0

    def wait(seconds: float) -> None:
        nonlocal waited
        if seconds:
            _tell(waits=seconds)
            sys.stdin.readline()
            waited += seconds

    reach = partial(_reach, order)

    def ask(url: str, form: Mapping[str, str], **_: object) -> Outcome:
        reach("before the request")
        outcome = post(url, form)
        reach("after the answer")
        return outcome

    effects = Effects(post=ask, now=lambda: order.now + waited, wait=wait, steady=time.monotonic)
    try:
        grant = renew(
            Mortal(_open_store(order, reach), reach),
            order.profile,
            Requirement(min_valid=order.min_valid),
            secret_for=lambda _: None,
            effects=effects,
        )
    except WithingsAuthError as error:
        return {"error": type(error).__name__, "exit_code": error.exit_code, "words": f"{error} {error.hint}"}
    return {"digest": digest(grant)}


def _reach(order: Order, step: str) -> None:
    if step == order.die_at:
        os.kill(os.getpid(), signal.SIGKILL)


def _open_store(order: Order, reach: Reach) -> SecretStore:
    kind, _, place = order.store.partition(":")
    directory = Path(place)
    if kind == "file":
        return FileStore(directory)
    if kind == "postgresql":
        return open_named_store(order.store, Path())
    if kind == "keyring":
        return KeyringStore(directory, patience_seconds=order.patience_seconds)
    return replacing_store(directory, reach)


class Mortal(Wrapped):
    """A store that can kill its process before, during and after each call."""

    def __init__(self, inner: SecretStore, reach: Reach) -> None:
        super().__init__(inner)
        self._reach = reach

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldName]:
        self._reach("before the lock")
        with super().lock(name, timeout) as held:
            self._reach("under the lock")
            yield held

    def notes(self, held: HeldName) -> Notes:
        return MortalNotes(held.notes, self._reach)

    def save(self, held: HeldName, name: str, text: str) -> None:  # noqa: ARG002  there is only one
        self._reach("before the save")
        _die_within("saving", self._reach)
        held.save(text)
        self._reach("after the save")


class MortalNotes:
    """Notes that kill their writer."""

    def __init__(self, inner: Notes, reach: Reach) -> None:
        self._inner = inner
        self._reach = reach

    def recall(self) -> str | None:
        return self._inner.recall()

    def note(self, text: str | None) -> None:
        _die_within("noting", self._reach)
        self._inner.note(text)


def _die_within(doing: str, reach: Reach) -> None:
    """Makes a system call kill the process if the step to die at is one of these."""
    for step, (name, nth) in IN_A_CALL.items():
        if step.startswith(doing):
            setattr(os, name, _mortal(getattr(os, name), nth, partial(reach, step)))


def _mortal(call: Callable[..., object], nth: int, die: Callable[[], None]) -> Callable[..., object]:
    calls = 0

    def counted(*arguments: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls == nth:
            die()
        return call(*arguments, **named)

    return counted


class ReplacingKeyring(KeyringBackend):
    """Keeps each record in a file and replaces it by deleting and adding; each change is a step to die at."""

    def __init__(self, directory: Path, reach: Reach) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring has no type for it
        self._directory = directory
        self._reach = reach
        self._changes = 0

    def get_password(self, service: str, username: str) -> str | None:  # noqa: ARG002  there is only one
        path = self._path(service)
        return path.read_text() if path.exists() else None

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.get_password(service, username) is not None:
            self.delete_password(service, username)
        self._change()
        self._path(service).write_text(password)

    def delete_password(self, service: str, username: str) -> None:  # noqa: ARG002  there is only one
        self._change()
        self._path(service).unlink()

    def _change(self) -> None:
        self._reach(f"before change {self._changes} of the keyring")
        self._changes += 1

    def _path(self, service: str) -> Path:
        return self._directory / quote(service, safe="")


def replacing_store(directory: Path, reach: Reach = lambda _: None) -> KeyringStore:
    """Opens a keyring that replaces by deleting and that several processes share."""
    records = directory / "records"
    records.mkdir(parents=True, exist_ok=True)
    backend = Backend(
        keyring=ReplacingKeyring(records, reach), description="the test's keyring", replaces_by_deleting=True
    )
    return KeyringStore(directory / "state", choose=lambda: backend)

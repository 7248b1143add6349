"""A real PostgreSQL server for the tests of one process: a private cluster in a directory of its own, on loopback.

To make a cluster costs a second, to copy one a tenth: one is made for all processes of a test run.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psycopg

from tests.support.ports import free_port
from tests.support.waiting import wait_until
from withings_auth.store.postgresql.address import parse_address
from withings_auth.store.postgresql.schema import initialise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Debian keeps these programs apart from those on the path; the newest version wins.
_PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: int(place.parent.name))
_SERVER_USER = 65_534  # nobody: a server refuses to run as root
_LIVES_ONLY_FOR_TESTS = {
    "shared_buffers": "16MB",
    "max_connections": "60",
    "log_min_messages": "fatal",
    "autovacuum": "off",
    "fsync": "off",
}
USER, DATABASE = "owner", "logins"
OF_OURS = "FROM pg_stat_activity WHERE application_name = 'withings-auth'"
# Its first file of a log would have 16 MB, which would be copied each time.
_INITDB = ("--no-sync", "--auth=trust", f"--username={USER}", "--locale=C", "--encoding=UTF8", "--wal-segsize=1")


def find_program(name: str) -> str | None:
    """Returns the path of a program of the server's."""
    found = [place / name for place in reversed(_PLACES) if (place / name).exists()]
    return str(found[0]) if found else shutil.which(name)


def as_server() -> tuple[str, ...]:
    """What runs a program as a user who may run a server, and ends it with this process."""
    user = (f"--reuid={_SERVER_USER}", f"--regid={_SERVER_USER}", "--clear-groups") if os.geteuid() == 0 else ()
    return ("setpriv", *user, "--pdeathsig", "INT") if shutil.which("setpriv") else ()


def _program(name: str) -> str:
    path = find_program(name)
    assert path is not None, f"{name} is missing"
    return path


def _environ(directory: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(directory), "LC_ALL": "C"}


def _make_directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="postgresql-"))
    if os.geteuid() == 0:
        os.chown(directory, _SERVER_USER, _SERVER_USER)
    return directory


def make_cluster(place: Path) -> Path:
    """Returns the place after it has got a cluster with the database; whichever process comes first makes it."""
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            directory = _make_directory()
            data = f"{directory}/data"
            make_database = f"CREATE DATABASE {DATABASE}\n"
            for name, arguments, typed in (
                ("initdb", [*_INITDB, data], ""),
                ("postgres", ["--single", "-F", "-D", data, "postgres"], make_database),
            ):
                subprocess.run(
                    [*as_server(), _program(name), *arguments],
                    input=typed.encode(),
                    capture_output=True,
                    check=True,
                    timeout=300,
                    cwd=directory,
                    env=_environ(directory),
                )
            _copy(data, place)
            shutil.rmtree(directory)
    return place


def _copy(cluster: Path | str, place: Path | str) -> None:
    """Copies it with its owner, which Python's own copies do not keep."""
    subprocess.run(["cp", "-a", cluster, place], check=True)


class Server:
    """A copy of a cluster, and the server that runs on it."""

    def __init__(self, cluster: Path, settings: Mapping[str, str] = {}) -> None:
        self.directory = _make_directory()
        self.port = free_port()
        self._log = self.directory / "log"
        self._settings = {**_LIVES_ONLY_FOR_TESTS, **settings}
        self._process: subprocess.Popen[bytes] | None = None
        self._schemas = self._users = 0
        _copy(cluster, self.data)
        self.start()

    @property
    def data(self) -> str:
        return str(self.directory / "data")

    @property
    def host(self) -> str:
        """The host and the port, as a store's name has them."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        assert self._process is not None
        return int(Path(self.data, "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])

    @property
    def processes(self) -> list[int]:
        """The process ids of the server, the sessions' too."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="utf-8").split()
        return [self.pid, *map(int, children)]

    def name(self, parameters: str = "", *, schema: str = "withings_auth", user: str = USER) -> str:
        """The name of a store in this schema."""
        return f"postgresql://{user}@{self.host}/{DATABASE}?schema={schema}" + (f"&{parameters}" if parameters else "")

    def new_store(self, parameters: str = "sealed=off") -> str:
        """Makes a store and returns its name."""
        self._schemas += 1
        name = self.name(parameters, schema=f"store_{self._schemas}")
        initialise(parse_address(name))
        return name

    def execute(
        self, statement: str, parameters: tuple[object, ...] = (), *, database: str = DATABASE, user: str = USER
    ) -> list[tuple[Any, ...]]:
        """Runs one statement as the server's owner; returns its rows."""
        with self.connect(database=database, user=user) as connection:
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def end_sessions(self, which: str = OF_OURS) -> None:
        """Ends the sessions that the rest of a query names, ours by default, and waits until they are gone."""
        self.execute(f"SELECT pg_terminate_backend(pid, 60000) {which}")

    def connect(self, *, database: str = DATABASE, user: str = USER) -> psycopg.Connection[Any]:
        """Opens a session, as the server's owner."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=user, dbname=database, autocommit=True, connect_timeout=60
        )

    @contextlib.contextmanager
    def listening(self) -> Iterator[tuple[str, list[str]]]:
        """Yields a user who may do what the owner may, and, after the block, the statements that this user has sent."""
        self._users += 1
        user, heard = f"heard_{self._users}", list[str]()
        self.execute(f"CREATE ROLE {user} LOGIN IN ROLE {USER}")
        for setting in ("log_statement = 'all'", "log_min_messages = 'log'"):
            self.execute(f"ALTER ROLE {user} SET {setting}")
        with self._log.open(encoding="utf-8") as log:
            log.seek(0, os.SEEK_END)
            yield user, heard
            heard += re.findall(r"(?m) LOG:  (?:statement|execute [^:]*): (.*(?:\n\t.*)*)", log.read())

    def start(self) -> None:
        """Starts the server, and returns once it takes connections."""
        options = ["-D", self.data, "-h127.0.0.1", f"-p{self.port}", f"-k{self.directory}"]
        options += [f"-c{name}={value}" for name, value in self._settings.items()]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*as_server(), _program("postgres"), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.directory,
                env=_environ(self.directory),
            )
        wait_until(self._answers)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends the server: by SIGINT at once and orderly, by SIGQUIT as in a crash."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(60)

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        self.stop(how)
        self.start()

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text(encoding="utf-8", errors="replace")
        with contextlib.suppress(psycopg.OperationalError):
            return self.execute("SELECT 1", database="postgres") == [(1,)]
        return False

    def close(self) -> None:
        """Ends the server if it still runs, and removes its files."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self.directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

"""What every test starts with: an environment of its own, and real counterparts to talk to.

The fixtures that all tests share, by what a test needs:

- `home`: the directory that the test lives in. Every test has one, requested or not; see `support/isolation.py`.
- `cli`: `withings-auth` as a real process, with pipes or on a terminal; see `support/programs.py` and `forks.py`.
- `python`: the same for code, as in `python("print(1)")`.
- `unmeasured`: it runs without coverage, and so do its programs; for long tests of what others measure.
- `canaries`: secrets that must not show up anywhere; see `support/canaries.py`.
- `store`: a secret store, in memory and in files; `directory` is where the files are.
- `sandbox`: a Withings in this process, on real time.
- `desk`, `make_desk`: a sandbox, a store in files, and the command line set up for both; see `support/logins.py`.
- `logged_in`: a desk whose user is logged in, in this process too.
- `secret_service`, `bus_without_secret_service`: a real keyring, or none; see `support/keyring_daemon.py`.
- `postgresql`: a real database server, shared by the tests of a process; see `support/postgresql.py`.
- `cluster`: what another such server begins with.
- `chromium`: a real browser; see `support/browser.py`.
- `withings_sandbox`, `withings_store`, `withings_token_source`, `withings_async_token_source`: the published fixtures.
- `require`: skips if a real part is missing, and fails if it must not be.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.support import browser, fuzzing, isolation, keyring_daemon, logins
from tests.support import postgresql as postgresql_server
from tests.support.canaries import Canaries, Listener
from tests.support.collection import (  # noqa: F401  pytest finds them by their names
    pytest_collection,
    pytest_collection_modifyitems,
    pytest_sessionfinish,
)
from tests.support.forks import Forks
from tests.support.ports import free_port
from tests.support.programs import UNMEASURED, Cli
from tests.support.waiting import wait_until
from withings_auth.store.file_store import FileStore
from withings_auth.store.memory_store import MemoryStore

# Again, for an environment that was made before pytest could find them by their entry point.
from withings_auth.testing.plugin import (  # noqa: F401  they are used by their names
    withings_async_token_source,
    withings_sandbox,
    withings_store,
    withings_token_source,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.browser import Chromium, Engine
    from tests.support.keyring_daemon import Bus, SecretService
    from withings_auth.store.base import SecretStore


class Require(Protocol):
    """The type of `require`."""

    def __call__(self, name: str, found: object, reason: str) -> None: ...


class MakeDesk(Protocol):
    """The type of `make_desk`."""

    def __call__(
        self, *, path: str = "", host: str = "localhost", switches: logins.Switches | None = None
    ) -> logins.Desk: ...


fuzzing.load_profile()


@pytest.fixture(scope="session", autouse=True)
def _isolation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Hides the user's environment from what lives longer than a test, and checks that their files are unchanged."""
    isolation.hear_signals()
    theirs = Path.home()
    before = isolation.footprints(theirs)
    with pytest.MonkeyPatch.context() as patch:
        homes = tmp_path_factory.mktemp("homes")
        isolation.enter(homes / "session", patch)
        yield homes
    time.tzset()
    assert isolation.footprints(theirs) == before, f"a test has changed the files of {theirs}"


@pytest.fixture(autouse=True)
def home(_isolation: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own home: this process and all it starts know no other, and reach no keyring, bus or screen."""
    own = Path(tempfile.mkdtemp(dir=_isolation))
    isolation.enter(own, monkeypatch)
    if (core := sys.modules.get("keyring.core")) is not None:
        monkeypatch.setattr(core, "_keyring_backend", None)  # what keyring found for another test
    return own


@pytest.fixture(scope="session")
def require() -> Require:
    """`require(name, found, reason)` skips the test if a real part was not found, but fails it if CI is true."""
    strict = os.environ.get("CI", "").lower() in {"1", "true"}

    def require(name: str, found: object, reason: str) -> None:
        if not found and strict:
            pytest.fail(f"{name} is missing in CI: {reason}")
        elif not found:
            pytest.skip(f"{name} is missing: {reason}")

    return require


@pytest.fixture
def canaries(_listening: Canaries) -> Canaries:
    """`canaries.plant("refresh token")` makes a secret that fails the test if it shows up where it must not."""
    return _listening


@pytest.fixture(autouse=True)
def _listening() -> Iterator[Canaries]:
    """Statement 23: what was planted is in no log record at DEBUG and in no output of `cli`."""
    canaries = Canaries()
    listener = Listener(canaries)
    root = logging.getLogger()
    level = root.level
    root.addHandler(listener)
    root.setLevel(logging.DEBUG)
    yield canaries
    root.setLevel(level)
    root.removeHandler(listener)
    logging.getLogger("asyncio").disabled = False  # `run --as` silences it for the rest of its process
    assert canaries.escaped() == []


@pytest.fixture(scope="session")
def _forks(_isolation: Path) -> Iterator[Forks]:
    with Forks() as forks:
        yield forks


@pytest.fixture
def cli(canaries: Canaries, _forks: Forks) -> Iterator[Cli]:
    """`cli("token")` runs the command to its end; `cli.start` and `cli.on_terminal` return a running one."""
    command = Cli((sys.executable, "-m", "withings_auth"), canaries, _forks)
    yield command
    command.close()


@pytest.fixture
def python(cli: Cli) -> Cli:
    """`python("print(1)")` runs code in another process."""
    return cli.using(sys.executable, "-c")


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Coverage costs each program a tenth of a second, and doubles the time of a test that only computes."""
    for name in UNMEASURED:
        monkeypatch.delenv(name, raising=False)
    loaded = sys.modules.get("coverage")
    measurement = loaded.Coverage.current() if loaded else None
    if measurement is None:
        yield
    else:
        measurement.stop()
        yield
        measurement.start()


@pytest.fixture
def directory(home: Path) -> Path:
    """The directory of the file store."""
    return home / "store"


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, directory: Path) -> SecretStore:
    """Each store that needs nothing from the machine."""
    return MemoryStore() if request.param == "memory" else FileStore(directory)


@pytest.fixture
def sandbox(canaries: Canaries) -> Iterator[logins.Sandbox]:
    """A Withings on real time; none of its secrets may show up anywhere (statement 23)."""
    with logins.Sandbox() as sandbox:
        yield sandbox
        for number, secret in enumerate(sorted(sandbox.secrets)):
            canaries.plant(f"the sandbox's secret {number}", secret)


@pytest.fixture
def secret_service(require: Require) -> Iterator[SecretService]:
    """A real keyring, empty and unlocked; give a program its `environ`, or let this process `enter` it."""
    for program in keyring_daemon.PROGRAMS:
        require(program, shutil.which(program), "the tests with a real Secret Service need it")
    before = set(threading.enumerate())
    with keyring_daemon.SecretService() as service:
        yield service
    # A call that was left hanging ends now, after another try, and must not do so during the next test.
    wait_until(lambda: not any(each.name == "withings-auth keyring" for each in {*threading.enumerate()} - before))


@pytest.fixture
def bus_without_secret_service(require: Require) -> Iterator[Bus]:
    """A real session bus on which nobody keeps secrets and nothing can be started."""
    require("dbus-daemon", shutil.which("dbus-daemon"), "the tests with a real session bus need it")
    with keyring_daemon.Bus() as bus:
        yield bus


@pytest.fixture(scope="session")
def cluster(_isolation: Path, tmp_path_factory: pytest.TempPathFactory, require: Require) -> Path:
    """What a database server begins with: the same for all processes of a test run, each server has a copy."""
    require("postgres", postgresql_server.find_program("postgres"), "the tests with a real database need it")
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    return postgresql_server.make_cluster(place / "cluster")


@pytest.fixture(scope="session")
def postgresql(cluster: Path) -> Iterator[postgresql_server.Server]:
    """A real database server for all tests of this process: `postgresql.new_store()` is the name of a store there."""
    with postgresql_server.Server(cluster) as server:
        yield server


@pytest.fixture(scope="session")
def _engine(_isolation: Path, require: Require) -> Iterator[Engine]:
    path = browser.executable()
    require("chromium", path, "the tests with a real browser need it")
    assert path is not None
    with browser.engine(path) as engine:
        yield engine


@pytest.fixture
def chromium(_engine: Engine) -> Iterator[Chromium]:
    """A real browser: `chromium.page()` opens a fresh page, `chromium.console` is what the console said."""
    with _engine.awake() as running:
        chromium = browser.Chromium(running)
        yield chromium
        chromium.close()


@pytest.fixture
def make_desk(cli: Cli, canaries: Canaries, home: Path) -> Iterator[MakeDesk]:
    """`make_desk(path="/cb", host="127.0.0.1", switches=…)`: a sandbox, a file store and the command line for it."""
    with contextlib.ExitStack() as running:

        def make(*, path: str = "", host: str = "localhost", switches: logins.Switches | None = None) -> logins.Desk:
            port = free_port()
            redirect_uri = f"http://{host}:{port}{path}"
            sandbox = running.enter_context(logins.Sandbox(redirect_uris=[redirect_uri], switches=switches))
            made = logins.set_up_desk(cli, canaries, home, sandbox, redirect_uri, port)
            running.callback(made.plant_secrets)
            return made

        yield make


@pytest.fixture
def desk(make_desk: MakeDesk) -> logins.Desk:
    """What most tests of a login need."""
    return make_desk(switches=logins.Switches(denial="with_state"))


@pytest.fixture
def logged_in(desk: logins.Desk, monkeypatch: pytest.MonkeyPatch) -> logins.Desk:
    """A desk whose user has logged in with the command; this process finds the login as any other program does."""
    assert desk.log_in().returncode == 0
    desk.sandbox.advance(11)  # the login asked for the devices; the same question within ten seconds is refused
    monkeypatch.setenv("WITHINGS_AUTH_STORE", f"file:{desk.directory}")
    return desk

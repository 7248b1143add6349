"""Which room may import which, who imports the heavy libraries, and what a real `withings-auth token` loads."""

from __future__ import annotations

import ast
import functools
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import withings_auth
from tests.support.canaries import Canaries
from tests.support.keyring_daemon import SecretService
from tests.support.logins import Desk
from tests.support.programs import UNMEASURED, Cli
from tests.support.stores import save_record
from withings_auth.config.settings import open_store
from withings_auth.model import App, Grant
from withings_auth.store.records import app_name, token_name

PACKAGE = Path(withings_auth.__file__).parent

# Each room and the rooms that it may import, from the ground up: a room may only import those in the lines above.
TABLE: dict[str, set[str]] = {
    room: set(may.split())
    for room, may in {
        "errors": "",
        "validation": "",
        "wording": "",
        "logs": "",
        "threads": "errors",
        "record": "errors validation",
        "model": "errors validation record",
        "provider": "errors logs threads validation wording model",
        "store": "errors logs threads validation record model",
        "config": "errors validation model store",
        "tokens": "errors logs threads validation wording record model provider store config",
        "authorization": "errors logs threads validation wording model provider store config tokens",
        "adapters": "errors validation provider",
        "borrow": "errors threads validation record model provider store",
        "profiles": "errors threads validation wording model provider store config tokens",
        "doctor": "errors threads validation wording model provider store config tokens authorization profiles",
        "sandbox": "model",
        "testing": "errors threads model provider store config tokens sandbox",
        "cli": "errors logs threads validation wording model provider store config borrow tokens authorization profiles"
        " doctor sandbox",
        "__main__": "tokens cli",
    }.items()
}

# Which modules may import a library; importing one of them loads the library.
LIBRARIES: dict[str, set[str]] = {
    "aiohttp": {
        "adapters/aiohttp.py",
        "authorization/server.py",
        "borrow/proxy.py",
        "borrow/upstream.py",
        "provider/session.py",
        "sandbox/server.py",
        "testing/aiohttp.py",
    },
    "yarl": {"borrow/upstream.py", "provider/session.py"},
    "cryptography": {"borrow/certificates.py", "store/sealing.py"},
    "httpx": {"adapters/httpx.py", "testing/httpx.py"},
    "requests": {"adapters/requests.py", "testing/requests.py"},
    "keyring": {"store/backends.py", "store/keyring_calls.py", "store/secret_service.py"},
    "psycopg": {
        "store/postgresql/connection.py",
        "store/postgresql/database_store.py",
        "store/postgresql/failures.py",
    },
    "filelock": {"store/lock_on_windows.py"},
    "platformdirs": {"config/places.py"},
    "tomlkit": {"config/save.py"},
    "shtab": {"cli/commands/completion.py"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@functools.cache
def imported_names(path: Path) -> tuple[str, ...]:
    """Returns the full names that a module imports when it runs, at its top or later, but not for types only."""
    return tuple(_imported_names(path))


def _imported_names(path: Path) -> Iterator[str]:
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            todo += node.orelse
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            folders = path.relative_to(PACKAGE.parent).parts[: -node.level] if node.level else ()
            base = ".".join([*folders, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)
        else:
            todo += ast.iter_child_nodes(node)


def room(name: str) -> str:
    """Returns the room of a module of ours."""
    return name.split(".")[1]


def test_every_module_is_in_a_room_of_the_table() -> None:
    rooms = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in modules()}
    assert rooms - {"__init__"} == set(TABLE)


def test_the_table_goes_downwards_only() -> None:
    below: set[str] = set()
    for name, may in TABLE.items():
        assert may <= below, f"{name} may not import {may - below}"
        below.add(name)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_what_its_room_may(path: Path) -> None:
    """`__init__` is no room: it loads everything by name, on first use."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    found = {room(name) for name in imported_names(path) if name.startswith("withings_auth.")}
    if parts == ("__init__",):
        assert found == set()
        return
    assert found - {parts[0], "__version__"} <= TABLE[parts[0]]


def test_the_table_allows_only_imports_that_exist() -> None:
    """It shows how the rooms depend on each other now."""
    used: dict[str, set[str]] = {name: set() for name in TABLE}
    for path in modules():
        own = path.relative_to(PACKAGE).with_suffix("").parts[0]
        used.get(own, set()).update(room(name) for name in imported_names(path) if name.startswith("withings_auth."))
    assert {name: may - used[name] for name, may in TABLE.items() if may - used[name]} == {}


def test_the_sandbox_shares_nothing_with_the_client_but_the_endpoints() -> None:
    """It must not share the client's mistakes."""
    ours = {name for path in modules() if "sandbox" in path.parts for name in imported_names(path)}
    client = {name for name in ours if name.startswith("withings_auth.") and room(name) != "sandbox"}
    assert client == {"withings_auth.model.Endpoints"}


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_imported_only_by_its_modules(library: str) -> None:
    knowing = {
        path.relative_to(PACKAGE).as_posix()
        for path in modules()
        if any(name.split(".")[0] == library for name in imported_names(path))
    }
    assert knowing == LIBRARIES[library]


def log_in(canaries: Canaries) -> str:
    """Saves a valid token in the store that the environment names; returns it."""
    now = int(time.time())
    grant = Grant(
        access_token=canaries.plant("access token"),
        refresh_token=canaries.plant("refresh token"),
        obtained_at=now,
        expires_at=now + 10_800,
        scopes=("user.info",),
        userid="38210457",
        client_id="an-app",
        token_url="https://wbsapi.withings.net/v2/oauth2",
    )
    store = open_store()
    save_record(
        store, app_name("an-app"), App(client_id="an-app", client_secret=canaries.plant("client secret")).to_record()
    )
    save_record(store, token_name("default"), grant.to_record())
    return grant.access_token


# The command may end at once, beside a thread of the keyring's that nobody waits for.
AT_THE_END = """
import atexit, os, sys
show, end = lambda: print(*sys.modules, file=sys.stderr, flush=True), os._exit
atexit.register(show)
os._exit = lambda code: (show(), end(code))
"""
AS_COMMAND = "from withings_auth.__main__ import run; sys.argv = ['withings-auth', 'token']; run()"
AS_LIBRARY = "from withings_auth import TokenSource; print(TokenSource().access_token())"

either_way = pytest.mark.parametrize("way", [AS_COMMAND, AS_LIBRARY], ids=["command", "library"])
FOR_ALL_THE_REST = {"argparse", "dataclasses", "inspect", "pathlib", "shutil", "tempfile", "threading", "urllib.parse"}


def loaded_by(cli: Cli, way: str, access_token: str) -> set[str]:
    """Returns everything in `sys.modules` of a real process after it has printed the token."""
    ran = cli.using(sys.executable, "-c")(f"{AT_THE_END}\n{way}", allow=[access_token], env=UNMEASURED)
    assert (ran.returncode, ran.stdout) == (0, f"{access_token}\n"), ran.stderr
    found = set(ran.stderr.split())
    assert "platformdirs" not in found
    if way == AS_COMMAND:
        assert "withings_auth.tokens.shortcut" in found
        assert found & (FOR_ALL_THE_REST | {"withings_auth.cli"}) == set()
    else:
        assert "withings_auth.tokens.source" in found
    return found


HEAVY = {
    "aiohttp",
    "httpx",
    "requests",
    "asyncio",
    "yarl",
    "multidict",
    "withings_auth.tokens.renewal",
    "withings_auth.provider.http",
}


@either_way
def test_a_valid_token_from_files_loads_nothing_heavy(
    cli: Cli, canaries: Canaries, monkeypatch: pytest.MonkeyPatch, home: Path, way: str
) -> None:
    """No aiohttp, asyncio or yarl, and no keyring and no lock either."""
    monkeypatch.setenv("WITHINGS_AUTH_STORE", f"file:{home / 'store'}")
    loaded = loaded_by(cli, way, log_in(canaries))
    assert loaded & (HEAVY | {"ssl", "logging", "keyring", "filelock", "withings_auth.store.keyring_store"}) == set()
    assert ("typing" in loaded) == (way == AS_LIBRARY)


@either_way
def test_a_valid_token_from_a_real_keyring_loads_nothing_heavy(
    cli: Cli,
    canaries: Canaries,
    monkeypatch: pytest.MonkeyPatch,
    secret_service: SecretService,
    way: str,
) -> None:
    """No aiohttp, asyncio or yarl, and jeepney instead of keyring and all that it needs."""
    secret_service.enter(monkeypatch)
    loaded = loaded_by(cli, way, log_in(canaries))
    assert "jeepney" in loaded
    assert loaded & (HEAVY | {"keyring", "secretstorage", "cryptography", "filelock", "logging"}) == set()


TO_THE_BROWSER = """
import os, sys
from withings_auth.authorization import browser

def start(url, **_):
    print(*sys.modules)
    sys.stdout.flush()
    os._exit(0)

browser.start = start
sys.argv = ["withings-auth", "login"]
from withings_auth.__main__ import run
run()
"""


@pytest.mark.parametrize("kind", ["file", "keyring"])
def test_a_first_login_loads_nothing_heavy_before_it_starts_the_browser(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, kind: str
) -> None:
    """What waits for the answer is loaded while the browser starts."""
    if kind == "keyring":
        request.getfixturevalue("secret_service").enter(monkeypatch)
        desk.env["WITHINGS_AUTH_STORE"] = "keyring"
    ran = desk.cli.using(sys.executable, "-c")(TO_THE_BROWSER, env={**desk.env, **UNMEASURED, "SSL_CERT_FILE": None})
    assert ran.returncode == 0, ran.stderr
    found = set(ran.stdout.split())
    assert "withings_auth.authorization.opening" in found
    later = {"withings_auth.authorization.flow", "withings_auth.authorization.pages", "cryptography", "filelock", "ssl"}
    assert found & (HEAVY | later | {"keyring", "logging", "secrets", "shutil", "tempfile"}) == set()


def test_the_front_door_loads_nothing(cli: Cli) -> None:
    """`import withings_auth` costs next to nothing, and still has all its names."""
    ran = cli.using(sys.executable, "-c")(
        "import sys; before = set(sys.modules); import withings_auth\n"
        "print(*sorted(n for n in set(sys.modules) - before if n.split('.')[0] in {'withings_auth', 'asyncio'}))\n"
        "print(*[name for name in withings_auth.__all__ if not hasattr(withings_auth, name)])"
    )
    assert ran.stdout == "withings_auth\n\n", ran.stderr

"""The sandbox shares no code with the client, and loads nothing heavy until it runs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import withings_auth.sandbox

ROOM = Path(withings_auth.sandbox.__file__).parent

LOADED = "print(*sorted(name for name in sys.modules if name.split('.')[0] in {'withings_auth', 'aiohttp', 'yarl'}))"
RUN = "exec('with withings_auth.sandbox.Sandbox(): pass')"


def _loaded_by(*statements: str) -> set[str]:
    """Returns which of our own and of the heavy modules a fresh interpreter has loaded after the statements."""
    program = "; ".join(["import sys", *statements]) + f"\n{LOADED}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def _imports(path: Path) -> set[str]:
    """Returns what a module imports from outside its package, at any depth."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_only_endpoints_is_imported_from_the_client() -> None:
    found = {name for path in ROOM.glob("*.py") for name in _imports(path) if name.startswith("withings_auth")}

    assert found == {"withings_auth.model.Endpoints"}


def test_only_the_server_imports_aiohttp() -> None:
    heavy = {"aiohttp", "yarl", "multidict"}

    importing = {path.name for path in ROOM.glob("*.py") if any(one.split(".")[0] in heavy for one in _imports(path))}

    assert importing == {"server.py"}


def test_a_running_sandbox_loads_nothing_of_the_client_but_the_model() -> None:
    of_the_model = _loaded_by("import withings_auth.model")
    running = _loaded_by("import withings_auth.sandbox", RUN)

    of_the_client = {name for name in running if name.split(".")[0] == "withings_auth"}

    assert {name for name in of_the_client if not name.startswith("withings_auth.sandbox")} <= of_the_model
    assert "aiohttp" in running  # the fresh interpreter has really run it


def test_importing_it_loads_no_aiohttp() -> None:
    assert not [
        name for name in _loaded_by("from withings_auth.sandbox import Sandbox") if not name.startswith("withings")
    ]


def test_the_services_do_no_io() -> None:
    """Only the server opens sockets and only `running` uses threads and loops."""
    modules = {"socket", "asyncio", "threading", "http", "urllib.request", "subprocess", "pathlib", "ssl", "aiohttp"}

    doing_io = {
        path.name
        for path in ROOM.glob("*.py")
        if any(one == name or one.startswith(f"{name}.") for one in _imports(path) for name in modules)
    }

    assert doing_io == {"server.py", "running.py"}

"""The compose file: what its services run, as they would, each in a home of its own, against a real database."""

from __future__ import annotations

import importlib
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.recipes.conftest import PROGRAMS
from tests.support.logins import Desk
from tests.support.postgresql import Server, find_program
from tests.support.programs import Program
from tests.support.readme import example
from tests.support.visitor import VISITOR

pytestmark = pytest.mark.usefixtures("unmeasured")

EXAMPLES = Path(__file__).parent.parent / "examples"
COMPOSE: dict[str, Any] = importlib.import_module("yaml").safe_load(example("compose.yaml"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
USERS = ("weights", "devices")


class Containers:
    """Starts the services' programs as compose would, without containers around them."""

    def __init__(self, desk: Desk, home: Path, server: Server) -> None:
        self._desk = desk
        self._home = home
        self.server = server
        self.volume = home / "volume"
        self.volume.mkdir(mode=0o700)
        self.password = home / "password"
        # What is elsewhere in a container, and who owns it there.
        self._here = {
            "@database/": f"@{server.host}/",
            "database:": "127.0.0.1:",
            "/store": str(self.volume),
            "/run/secrets/password": str(self.password),
            " -o me ": f" -o {os.geteuid()} ",
            "8000": str(desk.port),
        }

    def start(self, service: str, *words: str, **more: str) -> Program:
        """`docker compose run SERVICE WORDS`, with variables of the sandbox; the home is new."""
        described = SERVICES[service]
        home = self._home / f"container-{len(list(self._home.iterdir()))}"
        home.mkdir()
        inside = {"HOME": str(home), "PATH": f"{PROGRAMS}:/usr/bin:/bin", "LANG": "C.UTF-8", **more}
        inside |= {name: self._translated(value) for name, value in described["environment"].items()}
        command = described.get("command", [])
        given = list(words) or (shlex.split(command) if isinstance(command, str) else command)
        arguments = [*described.get("entrypoint", ["withings-auth"]), *given]
        bare = self._desk.cli.using("env", "-i", *(f"{name}={value}" for name, value in inside.items()))
        return bare.start(*(self._translated(word.replace("$$", "$")) for word in arguments))

    def _translated(self, text: str) -> str:
        for there, here in self._here.items():
            text = text.replace(there, here)
        return text


@pytest.fixture
def containers(desk: Desk, home: Path, postgresql: Server) -> Containers:
    """The secret has been made as the file says, and the database as its image does with those variables."""
    containers = Containers(desk, home, postgresql)
    make = next(line for line in example("compose.yaml").splitlines() if "openssl" in line).removeprefix("#")
    secret = EXAMPLES.parent.parent / COMPOSE["secrets"]["password"]["file"].replace(".", "tests/examples", 1)
    assert str(secret).endswith(make.split(">")[1].rstrip(") "))
    containers.password.write_text("4f1c" * 12 + "\n")  # as openssl prints it
    variables = SERVICES["database"]["environment"]
    assert variables["POSTGRES_PASSWORD_FILE"] == "/run/secrets/password"
    user = variables["POSTGRES_USER"]
    postgresql.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{containers.password.read_text().strip()}'")
    postgresql.execute(f"CREATE DATABASE {user} OWNER {user}")
    rules = Path(postgresql.data, "pg_hba.conf")
    rules.write_text(f"host all {user} 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
    postgresql.execute("SELECT pg_reload_conf()")
    return containers


def test_its_services_are_whole() -> None:
    """They use the image of the other example, start in an order that works, and keep what must last in volumes."""
    image = example("Dockerfile")
    assert "[postgresql," in image
    for name, service in SERVICES.items():
        assert all(volume.split(":")[0] in COMPOSE["volumes"] for volume in service["volumes"])
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
        assert set(service.get("depends_on", {})) <= set(SERVICES)
        if name != "database":
            directory = (EXAMPLES / service["build"]["context"]).resolve()
            assert (directory / service["build"]["dockerfile"]).read_text() == image
    for name in ("login", *USERS):
        assert SERVICES[name]["depends_on"] == {
            "database": {"condition": "service_healthy"},
            "password": {"condition": "service_completed_successfully"},
        }
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["login"]
    ignored = subprocess.run(["git", "check-ignore", "-q", EXAMPLES / "password"], cwd=EXAMPLES, check=False)
    assert ignored.returncode in {0, 128}  # 128: this is no checkout


def test_two_programs_share_a_login(desk: Desk, containers: Containers) -> None:
    """The steps in the file, and no others: then both get their data, and what has expired is renewed once."""
    healthy = SERVICES["database"]["healthcheck"]["test"].split()
    tool = find_program(healthy[0])
    assert tool is not None
    subprocess.run([tool, *healthy[1:]], check=True, env={"PGPORT": str(containers.server.port)}, capture_output=True)
    steps = [line.partition(" run --rm ")[2] for line in example("compose.yaml").splitlines() if " run --rm " in line]
    assert steps == ["login store init", "--service-ports login"]
    assert containers.start("password").wait().returncode == 0
    assert (containers.volume / "pgpass").stat().st_mode & 0o777 == 0o600
    made = containers.start("login", "store", "init").wait()
    assert made.returncode == 0, made.stderr
    assert (containers.volume / "key").stat().st_mode & 0o777 == 0o600
    wanted = ("WITHINGS_AUTH_API_URL", "WITHINGS_AUTH_AUTHORIZE_URL", "WITHINGS_REDIRECT_URI")
    secrets = ("WITHINGS_CLIENT_ID", "WITHINGS_CLIENT_SECRET")
    answers = {name: str(desk.env[name]) for name in (*wanted, *secrets)}
    finished = containers.start("login", BROWSER=VISITOR, **answers).wait()
    assert finished.returncode == 0, finished.stderr
    desk.sandbox.advance(3 * 3600)
    programs = [containers.start(name) for name in USERS]
    weights, devices = (program.wait() for program in programs)
    assert weights.stdout.count(",kg,Body+\n") == 100, weights.stderr
    assert "Steel HR" in devices.stdout, devices.stderr
    assert desk.sandbox.counters.refreshes == 1

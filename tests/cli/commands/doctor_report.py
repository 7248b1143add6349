"""Reads the report of `withings-auth doctor --json`, for its tests."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from withings_auth.doctor.checklist import NAMES

if TYPE_CHECKING:
    from tests.support.keyring_daemon import Bus
    from tests.support.logins import Desk
    from tests.support.programs import Finished

BROWSER = sys.executable


def steady_environment() -> dict[str, str | None]:
    """Sets what differs between machines: the browser, the certificates and the proxy."""
    variables = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "https_proxy")
    return {"BROWSER": BROWSER, **dict.fromkeys(variables)}


def findings(finished: Finished) -> dict[str, dict[str, str]]:
    """The results in a `--json` answer by name; each name must be there once, in its place."""
    assert finished.stderr in {"", "Waiting for your keyring: unlock it if a window asks for its password.\n"}
    content = json.loads(finished.stdout)
    assert content["format_version"] == 1
    lines: list[dict[str, str]] = content["findings"]
    assert tuple(line["name"] for line in lines) == NAMES
    counted = {verdict: sum(line["verdict"] == verdict for line in lines) for verdict in content["counts"]}
    assert content["counts"] == counted
    assert finished.returncode == (1 if counted["failed"] else 0)
    return {line["name"]: line for line in lines}


def verdicts(finished: Finished, *names: str) -> tuple[str, ...]:
    """The verdicts of these checks."""
    found = findings(finished)
    return tuple(found[name]["verdict"] for name in names)


def failures(finished: Finished) -> set[str]:
    """The checks that failed."""
    return {name for name, line in findings(finished).items() if line["verdict"] == "failed"}


def files(home: Path) -> set[Path]:
    """Everything in the user's home."""
    return set(home.rglob("*"))


def with_keyring(desk: Desk, bus: Bus) -> None:
    """Makes the desk's programs use the keyring on this bus."""
    desk.env.update(bus.environ)
    desk.env["WITHINGS_AUTH_STORE"] = None

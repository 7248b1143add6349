"""What the tests of the recipes have in common."""

from __future__ import annotations

import json
import shutil
from typing import Any

from tests.conftest import Require
from tests.support.logins import Desk
from tests.support.programs import Finished


def require_interpreter(require: Require, name: str) -> None:
    """Skips the test if nothing on this machine can run the recipe, and fails it in CI."""
    require(name, shutil.which(name), "the recipe is run with it")


def weights(text: str) -> list[dict[str, Any]]:
    """The groups of measures in an answer of Withings, with or without its envelope; weights only."""
    answer = json.loads(text)
    groups: list[dict[str, Any]] = answer.get("body", answer)["measuregrps"]
    assert {measure["type"] for group in groups for measure in group["measures"]} == {1}
    return groups


def in_shell(user: Desk, script: str, **env: str) -> Finished:
    """Runs the lines in a shell that stops at the first failure; they may print access tokens."""
    shown: list[str] = []
    finished = user.cli.using("sh")("-ec", script, env=env, allow=shown)
    shown += user.sandbox.live_access_tokens
    return finished

"""The README's way from a script of your own, line by line, run as printed beside the lines that it replaces."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import Require
from tests.recipes.steps import in_shell
from tests.support.logins import Desk
from tests.support.readme import rows, section

pytestmark = pytest.mark.usefixtures("unmeasured")

TITLE = "Coming from a script of your own"
LIFE = 10_800


@pytest.fixture
def table() -> dict[str, str]:
    """What an old script does, with the new line for it, if there is one."""
    return {old.strip("`"): found[1] for old, new in rows(section(TITLE)) if (found := re.match("`([^`]+)`", new))}


@pytest.fixture
def person(user: Desk, home: Path, require: Require) -> Desk:
    """Comes with an answer of Withings in a file, as a script with curl has saved it, and the app in the script."""
    require("jq", shutil.which("jq"), "most scripts read Withings' answers with it")
    assert user.run("logout").returncode == 0
    pair = user.sandbox.issue_pair()
    tokens = {"access_token": pair.access_token, "refresh_token": pair.refresh_token, "token_type": "Bearer"}
    rest = {"userid": pair.userid, "scope": ",".join(pair.scopes), "expires_in": LIFE}
    (home / "token").write_text(json.dumps({**tokens, **rest}))
    (home / "token").chmod(0o600)
    app = f"CLIENT_ID={user.sandbox.client_id}\nCLIENT_SECRET='{user.sandbox.client_secret}'"
    (home / "refresh.sh").write_text(f"#!/bin/sh\n{app}\ncurl -s -d client_secret=$CLIENT_SECRET …\n")
    (home / "refresh.sh").chmod(0o700)
    return user


def test_each_line_has_a_counterpart_that_prints_the_same(person: Desk, home: Path, table: dict[str, str]) -> None:
    """After the import, which removes the file, the new lines print what the old ones printed from it."""

    def run(line: str, **env: str) -> str:
        finished = in_shell(person, f"cd\n{line}", WITHINGS_AUTH_API_URL=person.sandbox.url, **env)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout.strip()

    before = {old: run(old) for old in table if old.startswith("jq")}
    assert len(before) == 4
    for take_over in re.findall(r"`(withings-auth (?:configure|import) [^`]+)`", section(TITLE)):
        run(take_over)
    assert not (home / "token").exists()
    after = {old: run(table[old]) for old in before}
    held = person.sandbox.live_access_tokens[-1]
    assert after.pop("jq -r .access_token token") == held
    assert LIFE - 120 < int(after.pop("jq .expires_in token")) <= int(before["jq .expires_in token"])
    assert after == {old: before[old] for old in after}
    (curl,) = (new for new in table.values() if "curl" in new)
    assert json.loads(run(f"{curl} -s -d action=getdevice {person.sandbox.url}/v2/user"))["status"] == 0
    person.grow_older(120)
    (renew,) = (new for new in table.values() if "--rejected-stdin" in new)
    assert run(renew, REJECTED=held) == person.sandbox.live_access_tokens[-1] != held

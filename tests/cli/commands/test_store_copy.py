"""`store copy` between the stores that a user has: nobody logs in again, and nothing stays in the old one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.support.profiles import put, what_is_left

if TYPE_CHECKING:
    from tests.support.keyring_daemon import SecretService
    from tests.support.logins import Desk


def test_from_files_to_a_keyring_and_back(desk: Desk, secret_service: SecretService) -> None:
    """The line after “Next:” is the only one to type; a second copy finds nothing more to do."""
    grant = put(desk)
    desk.keep_store()
    desk.env.update(secret_service.environ)
    files = f"file:{desk.directory}"
    moved = desk.run("store", "copy", files, "keyring")
    assert (moved.returncode, moved.stdout) == (0, "")
    first, secret, step, running = moved.stderr.splitlines()
    assert first.startswith(f"Moved profile default (user {grant.userid}) from files in {desk.directory} to ")
    assert secret == f"Moved the app's client secret, too: files in {desk.directory} no longer has it."
    assert step == "Next: withings-auth configure --store keyring"
    assert running == "Programs that are running have the earlier store: restart them after that."
    assert what_is_left(desk) == set()
    desk.env["WITHINGS_CLIENT_SECRET"] = None
    assert desk.run("token").returncode == 3
    assert desk.run(*step.removeprefix("Next: withings-auth ").split()).returncode == 0
    assert desk.run("token", "--renew").returncode == 0
    again = desk.run("store", "copy", files, "keyring")
    assert (again.returncode, again.stderr) == (
        0,
        f"There is no login in files in {desk.directory}.\nNext: withings-auth list\n",
    )
    back = desk.run("store", "copy", "keyring", files, "--profile", "default")
    assert back.returncode == 0
    assert f"Next: withings-auth configure --profile default --store {files}\n" in back.stderr
    assert desk.run("token", "--renew", WITHINGS_AUTH_STORE=files).returncode == 0
    assert secret_service.services() == []


def test_what_is_refused_can_be_mended_with_the_commands_in_its_hint(desk: Desk) -> None:
    """They are for the store that has the other login, whichever is set; the rest moves, and the exit code tells."""
    put(desk, person=2)
    put(desk, "mum")
    new = f"file:{desk.directory.parent / 'new store'}"
    assert desk.run("store", "copy", f"file:{desk.directory}", new, "--profile", "default").returncode == 0
    other = put(desk)
    refused = desk.run("store", "copy", f"file:{desk.directory}", new)
    assert refused.returncode == 1
    assert "Moved profile mum (user " in refused.stderr
    assert f" belongs to user {desk.sandbox.people[1].userid}, not to user {other.userid}: " in refused.stderr
    assert "hint: to replace that login: --replace --profile default; to remove it first: " in refused.stderr
    found = re.search(r"first: WITHINGS_AUTH_STORE='(.*)' withings-auth (logout --profile default)\n", refused.stderr)
    assert found is not None
    assert desk.run(*found[2].split(), WITHINGS_AUTH_STORE=found[1]).returncode == 0


def test_replace(desk: Desk) -> None:
    put(desk, person=2)
    new = f"file:{desk.directory.parent / 'new'}"
    assert desk.run("store", "copy", f"file:{desk.directory}", new).returncode == 0
    grant = put(desk)
    assert desk.run("store", "copy", "--replace", f"file:{desk.directory}", new).returncode == 0
    assert f"User          {grant.userid}\n" in desk.run("status", WITHINGS_AUTH_STORE=new).stdout


def test_a_store_that_is_none(desk: Desk) -> None:
    """The error says which of the two it is."""
    for names, place in ((("file:x", "keyring"), "FROM"), (("keyring", "files"), "TO")):
        refused = desk.run("store", "copy", *names)
        assert refused.returncode == 2
        assert f"error: {place} is “" in refused.stderr


def test_a_store_onto_itself(desk: Desk) -> None:
    put(desk)
    files = f"file:{desk.directory}"
    refused = desk.run("store", "copy", files, files)
    assert refused.returncode == 2
    assert "the old store and the new one are the same: files in " in refused.stderr
    assert desk.run("status").returncode == 0

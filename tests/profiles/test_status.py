"""The status of a login at every age, without asking Withings and without waiting for anybody."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import pytest

from tests.support.stores import clear_record, save_record
from tests.tokens.scene import Scene
from withings_auth.errors import LoginRequired, StoreCorrupt, WithingsAuthError
from withings_auth.model import Grant
from withings_auth.profiles.status import LoginStatus, read_status
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.records import app_name, token_name
from withings_auth.tokens.journal import SAFETY_NET_SECONDS

LIFE = 10_800
DAY = 86_400
YEAR = 365 * DAY
ISSUED = 1_700_000_000
GRANT = Grant(
    access_token="access-1",
    refresh_token="refresh-1",
    obtained_at=ISSUED,
    expires_at=ISSUED + LIFE,
    scopes=("user.info",),
    userid="38210457",
    client_id="an-app",
    token_url="https://wbsapi.withings.net/v2/oauth2",
)


def at_age(age: float, *, secret_known: bool = True) -> LoginStatus:
    return LoginStatus(profile="default", grant=GRANT, seen_at=ISSUED + age, secret_known=secret_known)


@pytest.mark.parametrize(
    ("age", "valid", "soon", "ended", "usable"),
    [
        (0, True, False, False, True),
        (LIFE - 1, True, False, False, True),
        (LIFE, False, False, False, True),
        (-1, False, False, False, True),  # the clock was set back: the token counts as expired, and can be renewed
        (YEAR - 30 * DAY - 1, False, False, False, True),
        (YEAR - 30 * DAY, False, True, False, True),
        (YEAR - 1, False, True, False, True),
        (YEAR, False, True, True, False),
    ],
)
def test_the_status_changes_with_age(age: int, valid: bool, soon: bool, ended: bool, usable: bool) -> None:
    """The access token lives for three hours and the refresh token for a year, with a warning in its last month."""
    status = at_age(age)
    assert (status.access_token_valid, status.ends_soon, status.has_ended, status.usable) == (
        valid,
        soon,
        ended,
        usable,
    )
    assert status.ends_at == ISSUED + YEAR


def test_without_the_secret_it_lasts_as_long_as_the_access_token() -> None:
    """A login that cannot be renewed is usable for three hours at most."""
    assert at_age(LIFE - 1, secret_known=False).usable
    assert not at_age(LIFE, secret_known=False).usable


def test_its_fields_are_what_a_program_may_read() -> None:
    """Statement 23: integers, strings and booleans, none of them secret."""
    fields = replace(at_age(60.5), unknown_until=ISSUED + 0.5).fields()
    assert fields == {
        "profile": "default",
        "logged_in": True,
        "usable": True,
        "userid": "38210457",
        "scopes": ["user.info"],
        "service": "https://wbsapi.withings.net",
        "client_id": "an-app",
        "client_secret_known": True,
        "access_token_valid": True,
        "access_token_expires_at": ISSUED + LIFE,
        "renewed_at": ISSUED,
        "login_ends_at": ISSUED + YEAR,
        "login_ends_soon": False,
        "renewal_under_way": False,
        "renewal_unknown_until": ISSUED,
        "renewal_refused_at": None,
    }
    assert GRANT.access_token not in json.dumps(fields)
    assert GRANT.refresh_token not in json.dumps(fields)
    assert "access-1" not in repr(at_age(0))


@pytest.mark.parametrize("age", [60, LIFE])
def test_one_that_withings_refused_has_ended(age: int) -> None:
    """Statement 49: whatever its times say, it is not usable, and both ways on are named."""
    status = replace(at_age(age), profile="work", refused_at=ISSUED + 30.5)
    assert (status.usable, status.has_ended, status.ends_soon) == (False, True, False)
    assert status.access_token_state == ("most likely ended" if age < LIFE else "expired")
    assert status.problem == "has ended: Withings refused to renew it on 2023-11-14 22:13"
    assert "withings-auth login --profile work" in status.remedy
    assert "withings-auth import --profile work --replace FILE" in status.remedy
    assert status.fields()["renewal_refused_at"] == ISSUED + 30


@pytest.mark.parametrize("age", [60, LIFE])
def test_one_for_practice_ends_with_its_sandbox(age: int) -> None:
    """Whatever its times say, it is not usable, and another practice is suggested."""
    status = replace(at_age(age), profile="sandbox", practice_ended=True)
    assert (status.usable, status.has_ended, status.ends_soon) == (False, True, False)
    assert status.access_token_state == ("most likely ended" if age < LIFE else "expired")
    assert status.problem == "has ended: its sandbox has stopped"
    assert "withings-auth login --sandbox --keep" in status.remedy


def read(scene: Scene, secrets: Mapping[str, str] | None = None) -> LoginStatus:
    status = read_status(scene.store, "default", scene.clock(), secret_of=(secrets or {}).get)
    assert status is not None
    return status


class TestInAStore:
    def test_nobody_is_logged_in(self) -> None:
        assert read_status(MemoryStore(), "default", 0) is None

    def test_a_record_that_cannot_be_read_is_an_error(self, scene: Scene) -> None:
        save_record(scene.store, token_name("default"), "not JSON at all")
        with pytest.raises(StoreCorrupt):
            read(scene)

    def test_the_secret_is_saved_or_given_for_this_app(self, scene: Scene) -> None:
        """The secret of another client id does not help."""
        assert read(scene).secret_known
        clear_record(scene.store, app_name(scene.sandbox.client_id))
        assert not read(scene).secret_known
        assert read(scene, {scene.sandbox.client_id: "s3cret"}).secret_known
        assert not read(scene, {"another": "s3cret"}).secret_known

    def test_an_unknown_outcome_has_a_deadline(self, scene: Scene) -> None:
        """Eight hours from the first try, until a renewal succeeds."""
        assert read(scene).unknown_until is None
        scene.sandbox.fail_next("lost", times=2)
        with suppress(WithingsAuthError):
            scene.renew()
        assert read(scene).unknown_until == scene.sent[0].at + SAFETY_NET_SECONDS
        scene.renew()
        assert read(scene).unknown_until is None

    def test_a_definite_refusal_is_seen_until_the_login_changes(self, scene: Scene) -> None:
        """Statement 49: by every process, with its time."""
        assert read(scene).refused_at is None
        scene.sandbox.kill_refresh_token()
        with pytest.raises(LoginRequired):
            scene.renew()
        assert read(scene).refused_at == scene.clock()
        scene.log_in()
        assert read(scene).refused_at is None

    def test_nothing_is_asked_and_nothing_is_changed(self, scene: Scene) -> None:
        """The record, its stamp and the counters of Withings do not change."""

        def state() -> object:
            text, stamp = scene.store.load(token_name("default")), scene.store.stamp(token_name("default"))
            return text, stamp, scene.sandbox.counters

        before = state()
        read(scene)
        assert state() == before

    def test_a_renewal_under_way_is_not_waited_for(self, scene: Scene) -> None:
        """It is reported as under way; once it has ended, the next look shows the result."""
        locked, done = threading.Event(), threading.Event()

        def hold() -> None:
            with scene.store.lock(token_name("default"), 1):
                locked.set()
                done.wait(120)

        holder = threading.Thread(target=hold)
        holder.start()
        assert locked.wait(60)
        status = read(scene)
        was_held = holder.is_alive()
        done.set()
        holder.join()
        assert was_held, "it waited for the lock"
        assert (status.renewal_under_way, status.unknown_until) == (True, None)
        assert not read(scene).renewal_under_way

"""What a renewal tells: which login it was, what to do, and for how long somebody else has been at it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import pytest

from tests.support.stores import Wrapped, clear_record, save_record_without_lock
from tests.tokens.scene import HOUR, LIFE, Scene, refusal, tokens
from withings_auth.errors import ConfigurationError, LockBusy, LoginRequired, ProtocolViolation, ProviderUnavailable
from withings_auth.model import Grant
from withings_auth.provider.replies import Outcome
from withings_auth.store.base import HeldName
from withings_auth.store.records import LOCK_PATIENCE_SECONDS, token_name
from withings_auth.tokens.hooks import Event
from withings_auth.tokens.renewal import LOCK_SLICE_SECONDS, Effects, renew
from withings_auth.tokens.requirement import Requirement

DEAD = refusal(503, "Invalid Params: invalid refresh_token")


class Held(Wrapped):
    """Somebody else holds the lock for good; each look takes a slice of the scene's time."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene.store)
        self._scene = scene
        self.slices = 0

    def lock(self, name: str, timeout: float) -> AbstractContextManager[HeldName]:
        self._scene.clock.at += 1
        self.slices += 1
        raise LockBusy(f"{name} is held for more than {timeout} seconds", hint="see who it is")


class Sharing(Wrapped):
    """A store that some calls can share a connection to."""

    shared = False
    calls: tuple[bool, ...] = ()

    @contextmanager
    def together(self) -> Iterator[None]:
        self.shared = True
        yield
        self.shared = False

    def load(self, name: str) -> str | None:
        self.calls += (self.shared,)
        return super().load(name)


def test_a_renewal_is_announced_once(scene: Scene) -> None:
    scene.log_in(profile="work")
    told: list[Event] = []
    for _ in range(2):
        scene.renew(profile="work", announce=told.append)
    message = "the login of profile work was renewed; its access token is valid until 2023-11-15 04:13"
    assert told == [Event(name="renewed", profile="work", message=message)]


def test_the_end_of_a_login_is_announced_once_and_always_named(scene: Scene) -> None:
    """Statement 49: whoever asks next, or waits for the lock, is told which login has ended."""
    scene.log_in(profile="work")
    told: list[Event] = []
    with pytest.raises(LoginRequired, match="login of profile work") as caught:
        scene.renew(profile="work", post=scene.script(DEAD), announce=told.append)
    message = f"{caught.value}; {caught.value.hint}"
    assert told == [Event(name="login_needed", profile="work", message=message)]
    for store in (scene.store, Held(scene)):
        with pytest.raises(LoginRequired, match=r"login of profile work\b.*refused on"):
            scene.renew(profile="work", store=store, announce=told.append)
    assert len(told) == 1


def test_a_lock_that_nobody_gives_back(scene: Scene) -> None:
    """Exit 4 after the whole patience, in slices that a caller who has gone does not notice."""
    scene.log_in(profile="work")
    store = Held(scene)
    with pytest.raises(LockBusy, match="renewing the login of profile work for too long") as caught:
        scene.renew(profile="work", store=store)
    assert caught.value.hint == "see who it is"
    assert store.slices == LOCK_PATIENCE_SECONDS
    assert LOCK_SLICE_SECONDS <= 0.2


def test_by_default_it_goes_by_the_machines_clocks(scene: Scene) -> None:
    """And announces it to nobody."""
    scene.log_in()
    before = time.time()
    effects = Effects(post=scene.post)
    new = renew(scene.store, "default", Requirement(min_valid=60), secret_for=lambda _: None, effects=effects)
    assert before - 1 < new.obtained_at <= time.time()


def test_what_the_reads_need_is_shared(scene: Scene) -> None:
    """A keyring is asked over one connection."""
    scene.log_in()
    store = Sharing(scene.store)
    scene.renew(store=store)
    assert (set(store.calls), store.shared) == ({True}, False)


def test_tokens_of_another_user(scene: Scene) -> None:
    scene.log_in(profile="work")
    with pytest.raises(ProtocolViolation) as caught:
        scene.renew(profile="work", post=scene.script(tokens(userid=666)))
    assert caught.value.hint == "nothing was saved; log in: withings-auth login --profile work"


def test_tokens_without_life(scene: Scene) -> None:
    scene.log_in()
    with pytest.raises(ProtocolViolation) as caught:
        scene.renew(post=scene.script(tokens(expires_in=0), tokens(expires_in=0, refresh_token="refresh-3")))
    assert "check the computer's clock" in caught.value.hint


def test_two_rejected_tokens_in_a_row(scene: Scene) -> None:
    old = scene.log_in()
    new = scene.renew(rejected=old.access_token)
    with pytest.raises(ProviderUnavailable) as caught:
        scene.renew(rejected=new.access_token)
    assert "the API of the same service" in caught.value.hint


def saves(scene: Scene, text: str, outcome: Outcome) -> Outcome:
    """Returns the outcome; before, a program without the lock saves something."""
    save_record_without_lock(scene.store, token_name("default"), text)
    return outcome


@pytest.mark.parametrize("left", [-HOUR, 0, 30])
def test_what_another_program_has_saved_must_be_good_enough(scene: Scene, left: int) -> None:
    """Else the refusal is told: a token that has expired, or does not last, helps nobody."""
    old = scene.log_in()
    issued = int(scene.clock()) - LIFE + left
    useless: Grant = replace(old, access_token="newer", obtained_at=issued, expires_at=issued + LIFE)

    def overtaken(_url: str, _form: Mapping[str, str], **_: object) -> Outcome:
        return saves(scene, useless.to_record(), DEAD)

    with pytest.raises(LoginRequired):
        scene.renew(post=overtaken)


def test_only_the_end_of_a_login_is_doubted(scene: Scene) -> None:
    """Another refusal is told although the record cannot be read any more."""
    scene.log_in()

    def overtaken(_url: str, _form: Mapping[str, str], **_: object) -> Outcome:
        return saves(scene, "{not ours", refusal(503, "Invalid Params: invalid client id/secret"))

    with pytest.raises(ConfigurationError):
        scene.renew(post=overtaken)
    clear_record(scene.store, token_name("default"))

"""The transaction that renews a login: however many programs ask, one refresh is sent and no login is lost.

Each refresh gives a new refresh token. The previous one lives for eight more hours, or until the new access token is
first used, whichever comes first (developer.withings.com, "Access and refresh tokens"). Hence three rules: the new
pair is saved before anybody sees its access token; the same refresh token is never sent twice within ten seconds,
because Withings would refuse it; a refresh whose answer was lost is repeated once after that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace

from withings_auth.errors import (
    LockBusy,
    LockLost,
    LoginRequired,
    ProtocolViolation,
    ProviderUnavailable,
    StoreError,
    StoreNotDurable,
    login_hint,
)
from withings_auth.logs import Logger
from withings_auth.model import Grant
from withings_auth.provider.failures import refresh_error
from withings_auth.provider.forms import refresh_form
from withings_auth.provider.http import TIME_LIMIT_SECONDS
from withings_auth.provider.repeat_guard import LONGEST_GUARD_WAIT_SECONDS
from withings_auth.provider.replies import (
    Answer,
    AnswerLost,
    Failure,
    NotSent,
    Post,
    TokenReply,
    TokenResult,
    describe,
    read_token_reply,
)
from withings_auth.provider.statuses import FailureKind
from withings_auth.store.base import HeldName, SecretStore, clock_offset, latest_note, lock_can_be_lost, together
from withings_auth.store.records import LOCK_PATIENCE_SECONDS, load_grant, load_secret, token_name
from withings_auth.tokens.grants import grant_from_reply
from withings_auth.tokens.hooks import Event
from withings_auth.tokens.journal import Journal, refuse_ended
from withings_auth.tokens.requirement import JUST_RENEWED_SECONDS, Requirement
from withings_auth.wording import local_time

logger = Logger(__name__)

LOCK_SLICE_SECONDS = 0.1  # how long a wait for the lock may outlive its caller, or a save by another program
LONGEST_NOTE_SECONDS = 5.0  # if the lock can be lost: a request is not sent unless it was noted as recently
LATEST_ARRIVAL_SECONDS = LONGEST_NOTE_SECONDS + TIME_LIMIT_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Everything that the transaction touches besides the store.

    `now` is the wall clock in Unix seconds, `steady` one that is never set. `wait` sleeps, and raises if the caller
    is gone. `announce` is given each renewal, and the first refusal of a login that has ended, under the lock.
    """

    post: Post
    now: Callable[[], float] = time.time
    wait: Callable[[float], None] = time.sleep
    steady: Callable[[], float] = time.monotonic
    announce: Callable[[Event], None] = lambda _: None

    def by_clock_of(self, store: SecretStore) -> Effects:
        """Returns the same with the store's clock as the wall clock."""
        return replace(self, now=lambda: self.now() + clock_offset(store))


def renew(
    store: SecretStore,
    profile: str,
    requirement: Requirement,
    *,
    secret_for: Callable[[Grant], str | None],
    effects: Effects,
) -> Grant:
    """Returns a grant that meets the requirement; renews it only if nobody else has.

    If it cannot be renewed now, the stored grant is returned as long as its access token lives and was not rejected.
    `secret_for` returns the client secret of a grant's app, or None to use the one in the store. Raises
    `LoginRequired` after a definite refusal, `ProviderUnavailable`, `LockBusy` and `LockLost` if trying again helps,
    `ProviderError`, `ProtocolViolation`, `ConfigurationError` and `StoreError`. No failure changes what is stored.
    """
    effects = effects.by_clock_of(store)
    stored: Grant | None = None
    try:
        with ExitStack() as stack:
            stack.enter_context(together(store))
            held = _lock(stack, store, profile, requirement, effects)
            if isinstance(held, Grant):
                return held
            for _ in range(2):
                stored = load_grant(store, profile)
                grant = _renew_under_lock(store, held, profile, stored, requirement, secret_for, effects)
                if requirement.tolerates(grant, effects.now()):
                    return grant
                # A repeated refresh can return the first one's pair, which has expired by now. Its successor has not.
            raise ProtocolViolation(
                f"Withings renewed the login of profile {profile} with tokens that have already expired",
                hint="check the computer's clock, and try again in a minute",
            )
    except (ProviderUnavailable, LockBusy, LockLost) as error:
        if isinstance(error, LockLost) and error.renewed:
            raise
        with suppress(LockLost):  # what was read under the lock is then the latest that is known
            stored = load_grant(store, profile)
        if stored is not None and requirement.tolerates(stored, effects.now()):
            logger.debug("not renewed for now: the stored token is still valid")
            return stored
        raise


def _renew_under_lock(
    store: SecretStore,
    held: HeldName,
    profile: str,
    grant: Grant,
    requirement: Requirement,
    secret_for: Callable[[Grant], str | None],
    effects: Effects,
) -> Grant:
    """The transaction itself, with what was just read: decide, ask, save. The save is read back before it counts."""
    if not requirement.ask_anew:
        refuse_ended(profile, held.notes.recall(), lambda: grant)
    if requirement.met_by(grant, effects.now()):
        logger.debug("not renewed: the stored token is good enough")
        return grant  # another process was faster
    journal = open_journal(store, held, grant)
    if journal.after_rejection:
        _refuse_futile_renewal(grant, requirement, effects.now())
    secret = secret_for(grant) or load_secret(store, grant.client_id)
    result, sent_at = refresh(grant, secret, journal, effects)
    if not isinstance(result, TokenReply):
        error = refresh_error(result, profile=profile, deadline=journal.deadline)
        try:
            found = load_grant(store, profile) if isinstance(error, LoginRequired) else grant
            if found != grant and requirement.met_by(found, effects.now()):
                return found  # a program that ignores the lock has saved a newer one
            if journal.newly_refused:
                message = f"{error}; {error.hint}"
                effects.announce(Event(name="login_needed", profile=profile, message=message))
            raise error
        finally:
            del error  # its traceback refers to this frame: the cycle would keep secrets in memory
    successor = _successor(grant, profile, result, sent_at)
    _save(held, successor, journal.deadline)
    if grant.access_token == requirement.rejected:
        journal.replace_rejected(successor)
    logger.debug("saved and read back: profile %s, access token for %d s", profile, result.life_seconds)
    message = f"the login of profile {profile} was renewed; its access token is valid until"
    message += f" {local_time(successor.expires_at)}"
    effects.announce(Event(name="renewed", profile=profile, message=message))
    return successor


def _lock(
    stack: ExitStack, store: SecretStore, profile: str, requirement: Requirement, effects: Effects
) -> HeldName | Grant:
    """Returns the locked name, or the stored grant if it will do while somebody else holds the lock.

    A crowd would otherwise take the lock in turn after each renewal, just to read what is saved. Nobody waits for the
    lock of a login that has ended, whose holder may be asking anew.
    """
    name, give_up_at = token_name(profile), effects.steady() + LOCK_PATIENCE_SECONDS
    seen: Hashable = None  # no stamp: the record may have changed since the caller read it
    while True:
        effects.wait(0)
        try:
            return stack.enter_context(store.lock(name, LOCK_SLICE_SECONDS))
        except LockBusy as busy:
            before, seen = seen, store.stamp(name)
            # Without a stamp, the store cannot tell whether the record has changed.
            if (seen is None or seen != before) and (saved := _look(store, profile, requirement, effects)) is not None:
                return saved
            if not requirement.ask_anew:
                refuse_ended(profile, latest_note(store, name), lambda: load_grant(store, profile))
            if effects.steady() >= give_up_at:
                raise LockBusy(
                    f"another program has been renewing the login of profile {profile} for too long", hint=busy.hint
                ) from None


def _look(store: SecretStore, profile: str, requirement: Requirement, effects: Effects) -> Grant | None:
    """Returns the stored grant if it meets the requirement; without the lock, nothing else about it is certain."""
    with suppress(LoginRequired, StoreError):
        grant = load_grant(store, profile)
        if requirement.met_by(grant, effects.now()):
            logger.debug("not renewed: another program has saved a token that is good enough")
            return grant
    return None


def _refuse_futile_renewal(grant: Grant, requirement: Requirement, now: float) -> None:
    """Raises `ProviderUnavailable` if this pair was rejected as soon as its predecessor: a newer one would be too."""
    age = grant.age(now)
    if grant.access_token == requirement.rejected and age is not None and age < JUST_RENEWED_SECONDS:
        raise ProviderUnavailable(
            f"Withings refused an access token that it issued {age:.0f} seconds ago, and the one before it",
            hint="a new one would be refused too: check that the request goes to the API of the same service,"
            " and try again in a minute",
            retry_after=JUST_RENEWED_SECONDS - age,
        )


def open_journal(store: SecretStore, held: HeldName, grant: Grant) -> Journal:
    """Returns the journal of the grant's refreshes, whose guard is longer if a holder can lose its lock.

    Such a holder may have a request on its way while the next one holds the lock: `post` takes up to 20 seconds.
    """
    return Journal(held.notes, grant, late_seconds=LATEST_ARRIVAL_SECONDS if lock_can_be_lost(store) else 0.0)


def refresh(grant: Grant, secret: str, journal: Journal, effects: Effects) -> tuple[TokenResult, float]:
    """Sends a refresh; returns its result, which is not saved yet, and the moment just before it was sent.

    Sends it once more if the answer was lost, which is what the previous refresh token stays alive for, and once more
    if Withings refused it as too early.
    """
    lost = refused = False
    while True:
        result, sent_at = _send(grant, secret, journal, effects)
        match result:
            case AnswerLost() if not lost:
                lost = True
            case Failure(kind=FailureKind.TOO_MANY_REQUESTS, retry_after=seconds) if (
                not refused and (seconds or 0) <= LONGEST_GUARD_WAIT_SECONDS
            ):
                refused = True
                effects.wait(seconds or 0)
            case _:
                return result, sent_at


def _send(grant: Grant, secret: str, journal: Journal, effects: Effects) -> tuple[TokenResult, float]:
    """Sends the refresh once, as soon as the guard allows, with an entry in the journal before and after."""
    guard_seconds = journal.seconds_to_wait(effects.now())
    if guard_seconds:
        logger.debug("waiting %.1f s: this refresh token was sent just now", guard_seconds)
    effects.wait(guard_seconds)
    sent_at, began = effects.now(), effects.steady()
    journal.begin(sent_at)
    took = max(effects.now() - sent_at, effects.steady() - began)  # a clock can be set, and a machine can sleep
    if journal.late_seconds and took > LONGEST_NOTE_SECONDS:
        journal.end(NotSent(why="too late"), effects.now())
        raise LockLost(
            "the store took so long to answer that a renewal was no longer safe: nothing was sent",
            hint="ask again; if this persists, check the network and the server of the store",
        )
    outcome = effects.post(grant.token_url, refresh_form(grant, secret))
    result = read_token_reply(outcome) if isinstance(outcome, Answer) else outcome
    logger.debug("the refresh brought %s", describe(result))
    journal.end(result, effects.now())
    return result, sent_at


def _successor(grant: Grant, profile: str, reply: TokenReply, sent_at: float) -> Grant:
    if reply.userid not in {None, grant.userid}:
        raise ProtocolViolation(
            f"Withings answered the renewal of user {grant.userid} with tokens of user {reply.userid}",
            hint=f"nothing was saved; {login_hint(profile)}",
        )
    return grant_from_reply(reply, grant, sent_at=sent_at)


def _save(held: HeldName, successor: Grant, deadline: float | None) -> None:
    until = f" before {local_time(deadline)}" if deadline else ""
    try:
        held.save(successor.to_record())
    except LockLost as error:  # perhaps it is saved all the same: whoever asks next finds out
        lost = error.with_message(
            f"the login was renewed, but nobody knows whether that was saved: {error}",
            hint=f"nothing is lost if you ask for a token again{until}; if this persists, check the store's server",
        )
        lost.renewed = True
        raise lost from error
    except StoreError as error:
        raise StoreNotDurable(
            f"the login was renewed but could not be saved: {error}",
            hint=f"nothing is lost if you fix this and ask for a token again{until}; {error.hint}",
        ) from error

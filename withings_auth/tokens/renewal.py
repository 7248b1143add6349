"""The transaction that renews a login: at most one refresh, whoever asks, and never a lost one.

Withings gives a new refresh token with every renewal. The previous one lives for eight hours more, or until the new
access token is first used, whichever ends first (developer.withings.com, "Access and refresh tokens"). Hence the
rules here: the new pair is durable before its access token leaves our hands; the same refresh token is not sent
twice within ten seconds, which Withings would refuse; a refresh whose answer was lost is repeated once after that.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from withings_auth.errors import (
    LockBusy,
    LoginRequired,
    ProtocolViolation,
    ProviderUnavailable,
    StoreError,
    StoreNotDurable,
    login_hint,
)
from withings_auth.model import Grant
from withings_auth.provider.failures import refresh_error
from withings_auth.provider.forms import refresh_form
from withings_auth.provider.repeat_guard import LONGEST_GUARD_WAIT_SECONDS
from withings_auth.provider.replies import (
    Answer,
    AnswerLost,
    Failure,
    NotSent,
    Post,
    TokenReply,
    describe,
    read_answer,
)
from withings_auth.provider.statuses import FailureKind
from withings_auth.store.base import HeldName, SecretStore
from withings_auth.store.records import LOCK_PATIENCE_SECONDS, load_grant, load_secret, token_name
from withings_auth.tokens.grants import grant_from_reply
from withings_auth.tokens.journal import Journal
from withings_auth.tokens.requirement import JUST_RENEWED_SECONDS, Requirement
from withings_auth.wording import local_time

logger = logging.getLogger(__name__)

LOCK_SLICE_SECONDS = 0.5  # how long an abandoned wait goes on

Traded = TokenReply | Failure | NotSent | AnswerLost


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What the transaction touches besides the store.

    `post` sends a form and tells what came of it; `now` is the wall clock in Unix seconds; `wait` sleeps, and raises
    where the caller has gone away.
    """

    post: Post
    now: Callable[[], float] = time.time
    wait: Callable[[float], None] = time.sleep
    steady: Callable[[], float] = time.monotonic


def renew(
    store: SecretStore,
    profile: str,
    requirement: Requirement,
    *,
    secret_for: Callable[[Grant], str | None],
    effects: Effects,
) -> Grant:
    """Returns a grant that meets the requirement, renewed only if nobody else was faster.

    Where it cannot be renewed for now, what is stored will do as long as it has life and is not the rejected one.
    `secret_for` returns the client secret for a grant's app where the caller knows one; else the app's record is
    asked. Raises `LoginRequired` after a definite refusal, `ProviderUnavailable` and `LockBusy` where trying again
    helps, `ProviderError`, `ProtocolViolation`, `ConfigurationError` and `StoreError`. Only tokens that came change
    what is stored, and no failure does.
    """
    try:
        with ExitStack() as stack:
            held = _lock(stack, store, profile, effects)
            for _ in range(2):
                grant = _renew_under_lock(store, held, profile, requirement, secret_for, effects)
                if requirement.tolerates(grant, effects.now()):
                    return grant
                # A repeated refresh can bring the pair that the first one brought, dead by now. Its successor is not.
            raise ProtocolViolation(
                f"Withings renewed the login of profile {profile} with tokens that have no life",
                hint="check the computer's clock, and try again in a minute",
            )
    except (ProviderUnavailable, LockBusy):
        grant = load_grant(store, profile)
        if requirement.tolerates(grant, effects.now()):
            logger.debug("not renewed for now: the stored token still has life")
            return grant
        raise


def _renew_under_lock(
    store: SecretStore,
    held: HeldName,
    profile: str,
    requirement: Requirement,
    secret_for: Callable[[Grant], str | None],
    effects: Effects,
) -> Grant:
    """The transaction itself: read again, decide, ask, save. The save is read back before it counts."""
    grant = load_grant(store, profile)
    if requirement.met_by(grant, effects.now()):
        logger.debug("not renewed: what is stored will do")
        return grant  # another process was faster
    _refuse_the_futile(grant, requirement, effects.now())
    journal = Journal(held.notes, grant)
    secret = secret_for(grant) or load_secret(store, grant.client_id)
    result, sent_at = trade(grant, secret, journal, effects)
    if not isinstance(result, TokenReply):
        error = refresh_error(result, profile=profile, deadline=journal.deadline)
        try:
            found = load_grant(store, profile) if isinstance(error, LoginRequired) else grant
            if found != grant and requirement.met_by(found, effects.now()):
                return found  # somebody who knows no lock saved a newer one
            raise error
        finally:
            del error  # its traceback holds this frame: without this a cycle keeps secrets alive
    successor = _successor(grant, profile, result, sent_at)
    _save(held, successor, journal.deadline)
    logger.debug("saved and read back: profile %s, access token for %d s", profile, result.life_seconds)
    return successor


def _lock(stack: ExitStack, store: SecretStore, profile: str, effects: Effects) -> HeldName:
    give_up_at = effects.steady() + LOCK_PATIENCE_SECONDS
    while True:
        effects.wait(0)
        try:
            return stack.enter_context(store.lock(token_name(profile), LOCK_SLICE_SECONDS))
        except LockBusy as busy:
            if effects.steady() >= give_up_at:
                raise LockBusy(
                    f"another program has been renewing the login of profile {profile} for too long", hint=busy.hint
                ) from None


def _refuse_the_futile(grant: Grant, requirement: Requirement, now: float) -> None:
    age = grant.age(now)
    if grant.access_token == requirement.rejected and age is not None and age < JUST_RENEWED_SECONDS:
        raise ProviderUnavailable(
            f"Withings refused an access token that it issued {age:.0f} seconds ago",
            hint="a newer one would fare no better: check that the request goes to the API of the same service,"
            " and try again in a minute",
            retry_after=JUST_RENEWED_SECONDS - age,
        )


def trade(grant: Grant, secret: str, journal: Journal, effects: Effects) -> tuple[Traded, float]:
    """Returns what came of a refresh, and the moment before it was sent. What it brings is not saved yet.

    Asks again once where the answer was lost, which is what the previous refresh token stays alive for, and once where
    Withings refused to act yet.
    """
    lost = refused = False
    while True:
        result, sent_at = _ask(grant, secret, journal, effects)
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


def _ask(grant: Grant, secret: str, journal: Journal, effects: Effects) -> tuple[Traded, float]:
    """Sends the refresh once, not sooner than the guard allows, noted before and after."""
    guard_seconds = journal.seconds_to_wait(effects.now())
    if guard_seconds:
        logger.debug("waiting %.1f s: this refresh token was sent just now", guard_seconds)
    effects.wait(guard_seconds)
    sent_at = effects.now()
    journal.begin(sent_at)
    outcome = effects.post(grant.token_url, refresh_form(grant, secret))
    result = read_answer(outcome) if isinstance(outcome, Answer) else outcome
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
    try:
        held.save(successor.written())
    except StoreError as error:
        until = f" before {local_time(deadline)}" if deadline else ""
        raise StoreNotDurable(
            f"the login was renewed and could not be saved: {error}",
            hint=f"nothing is lost if that is mended and a token is asked for again{until}; {error.hint}",
        ) from error

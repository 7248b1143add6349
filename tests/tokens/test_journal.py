"""What lies beside the lock: enough to keep the guard and to tell the deadline, and no secret."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from withings_auth.errors import LoginRequired, StoreUnavailable
from withings_auth.model import Grant
from withings_auth.provider.repeat_guard import REPEAT_GUARD_SECONDS
from withings_auth.provider.replies import AnswerLost, Failure, NotSent, TokenReply
from withings_auth.provider.statuses import FailureKind
from withings_auth.store.memory_store import MemoryNotes
from withings_auth.tokens.journal import (
    LONGEST_WORDS,
    SAFETY_NET_SECONDS,
    Journal,
    Refusal,
    note_by_clock,
    refuse_ended,
)

NOW = 1_700_000_000.0
GRANT = Grant(
    access_token="access-1",
    refresh_token="refresh-1",
    expires_at=int(NOW),
    obtained_at=int(NOW) - 10800,
    scopes=("user.info",),
    userid="38210457",
    client_id="an-app",
    token_url="https://wbsapi.withings.net/v2/oauth2",
)
REPLY = TokenReply(access_token="access-2", refresh_token="refresh-2", life_seconds=10800, scopes=None, userid=None)
LOST = AnswerLost(why="closed")
NOT_SENT = NotSent(why="refused")


def refused(kind: FailureKind) -> Failure:
    return Failure(kind=kind, words="", status=503)


REFUSED = refused(FailureKind.REFRESH_TOKEN_REFUSED)


@pytest.fixture
def notes() -> MemoryNotes:
    return MemoryNotes({}, "token/default")


def attempted(notes: MemoryNotes, *results: TokenReply | Failure | NotSent | AnswerLost, every: float = 100) -> Journal:
    """One attempt after another, each by a process of its own that only knows the notes; the last looks at them."""
    for number, result in enumerate(results):
        journal = Journal(notes, GRANT)
        journal.begin(NOW + number * every)
        journal.end(result, NOW + number * every)
    return Journal(notes, GRANT)


class TestGuard:
    def test_nothing_noted_is_nothing_to_wait_for(self, notes: MemoryNotes) -> None:
        assert Journal(notes, GRANT).seconds_to_wait(NOW) == 0

    @pytest.mark.parametrize(
        ("later", "seconds"), [(0, 11), (4, 7), (10, 1), (11, 0), (12, 0), (10**6, 0), (-3, 11), (-(10**6), 11)]
    )
    def test_another_process_keeps_the_guard(self, notes: MemoryNotes, later: float, seconds: float) -> None:
        """The wait is never longer than the guard, even if the clock was set back since."""
        Journal(notes, GRANT).begin(NOW)
        assert Journal(notes, GRANT).seconds_to_wait(NOW + later) == seconds

    def test_the_guard_is_longer_than_withings_own(self) -> None:
        assert 10 < REPEAT_GUARD_SECONDS <= 12

    @pytest.mark.parametrize("result", [LOST, *map(refused, FailureKind)])
    def test_whatever_was_sent_counts(
        self, notes: MemoryNotes, result: TokenReply | Failure | NotSent | AnswerLost
    ) -> None:
        assert attempted(notes, result).seconds_to_wait(NOW) == 11

    def test_what_was_not_sent_does_not(self, notes: MemoryNotes) -> None:
        assert attempted(notes, NOT_SENT).seconds_to_wait(NOW) == 0
        assert attempted(notes, LOST, NOT_SENT).seconds_to_wait(NOW + 1) == 10

    @pytest.mark.parametrize("changes", [{"refresh_token": "refresh-2"}, {"access_token": "access-2"}])
    def test_a_successor_may_follow_at_once(self, notes: MemoryNotes, changes: dict[str, str]) -> None:
        """An entry about another pair counts as none, even if the refresh token is the same."""
        attempted(notes, LOST)
        successor = Journal(notes, replace(GRANT, **changes))  # type: ignore[arg-type]  # the values are texts
        assert (successor.seconds_to_wait(NOW), successor.deadline) == (0, None)


class TestDeadline:
    @pytest.mark.parametrize(
        ("results", "since"),
        [
            ((), None),
            ((LOST,), 0),
            ((LOST, LOST), 0),
            ((NOT_SENT,), None),
            ((LOST, NOT_SENT), 0),
            ((NOT_SENT, LOST), 100),
            ((REPLY,), 0),
            ((LOST, REPLY), 0),
            *(((refused(kind),), 0 if kind.outcome_unknown else None) for kind in FailureKind),
            *(((LOST, refused(kind)), 0) for kind in FailureKind),
            ((refused(FailureKind.TOO_MANY_REQUESTS), LOST), 100),
        ],
    )
    def test_it_is_eight_hours_after_the_first_attempt_that_is_unknown(
        self, notes: MemoryNotes, results: tuple[TokenReply | Failure | NotSent | AnswerLost, ...], since: float | None
    ) -> None:
        """A refusal before acting, or a request that never left, leaves known what was known and unknown the rest.

        After tokens it stays too: until they are saved, that renewal is as good as lost.
        """
        expected = None if since is None else NOW + since + 8 * 3600
        assert attempted(notes, *results).deadline == expected

    def test_it_is_known_from_the_moment_before_the_request(self, notes: MemoryNotes) -> None:
        """A process that is killed while it waits for the answer has told the next one."""
        Journal(notes, GRANT).begin(NOW)
        assert Journal(notes, GRANT).deadline == NOW + SAFETY_NET_SECONDS

    def test_it_is_not_put_off_by_a_clock_that_was_set_back(self, notes: MemoryNotes) -> None:
        """No promise beyond eight hours from now."""
        Journal(notes, GRANT).begin(NOW + 86_400)
        journal = Journal(notes, GRANT)
        journal.begin(NOW)
        assert journal.deadline == NOW + SAFETY_NET_SECONDS


class TestRefusal:
    @pytest.mark.parametrize("kind", FailureKind)
    def test_only_a_definite_one_is_remembered(self, notes: MemoryNotes, kind: FailureKind) -> None:
        """Statement 49: with Withings' words and the time, until the pair changes."""
        refusal = attempted(notes, replace(refused(kind), words="no")).refusal
        assert refusal == (Refusal(at=NOW, words="status 503: no") if kind.refuses_for_good else None)
        assert Journal(notes, replace(GRANT, refresh_token="refresh-2")).refusal is None

    @pytest.mark.parametrize("result", [LOST, NOT_SENT, *map(refused, FailureKind)])
    def test_it_stays_unless_asking_anew_may_have_renewed_the_login(
        self, notes: MemoryNotes, result: Failure | NotSent | AnswerLost
    ) -> None:
        """Statement 49: after a lost answer, the next program repeats what a person has begun."""
        unknown = result == LOST or (isinstance(result, Failure) and result.kind.outcome_unknown)
        assert (attempted(notes, REFUSED, result).refusal is None) is unknown

    def test_it_is_gone_while_a_person_asks_anew(self, notes: MemoryNotes) -> None:
        """A process that is killed while it waits for the answer leaves a login that others still try to save."""
        attempted(notes, REFUSED).begin(NOW + 100)
        assert Journal(notes, GRANT).refusal is None

    @pytest.mark.parametrize(
        "value",
        [*("[]", "7", '"x"', "{}", '{"at": 1}', '{"at": null, "words": "no"}', '{"at": 1, "words": 2}')],
    )
    def test_one_that_makes_no_sense_counts_as_none(self, notes: MemoryNotes, value: str) -> None:
        attempted(notes, REFUSED)
        content = json.loads(notes.recall() or "")
        notes.note(json.dumps({**content, "refusal": "HERE"}).replace('"HERE"', value))
        assert Journal(notes, GRANT).refusal is None

    def test_its_words_are_shown_escaped_and_bounded(self, notes: MemoryNotes) -> None:
        """Statement 35: the note may have been changed since."""
        attempted(notes, REFUSED)
        content = json.loads(notes.recall() or "")
        notes.note(json.dumps({**content, "refusal": {"at": NOW, "words": "\x1b[2J" * 1000}}))
        refusal = Journal(notes, GRANT).refusal
        assert refusal is not None
        assert "\x1b" not in refusal.words
        assert len(refusal.words) == LONGEST_WORDS == 400

    @pytest.mark.parametrize(
        ("results", "new"),
        [
            ((REFUSED,), True),
            ((LOST, REFUSED), True),
            ((LOST,), False),
            ((REFUSED, REFUSED), False),
            ((REFUSED, LOST), False),
            ((REFUSED, NOT_SENT), False),
        ],
    )
    def test_only_the_first_one_is_new(
        self, notes: MemoryNotes, results: tuple[Failure | NotSent | AnswerLost, ...], new: bool
    ) -> None:
        """The user is told once."""
        *earlier, last = results
        journal = attempted(notes, *earlier)
        journal.begin(NOW)
        journal.end(last, NOW)
        assert journal.newly_refused is new

    def test_whoever_asks_next_is_told_which_login_has_ended(self, notes: MemoryNotes) -> None:
        """The grant is loaded only if there is a refusal, which may be that of another pair."""
        refuse_ended("work", None, pytest.fail)
        refuse_ended("work", '{"refusal": null}', pytest.fail)
        attempted(notes, REFUSED)
        refuse_ended("work", notes.recall(), lambda: replace(GRANT, refresh_token="refresh-2"))
        with pytest.raises(LoginRequired, match=r"profile work\b.*refused on 2023-11-14 22:13: status 503"):
            refuse_ended("work", notes.recall(), lambda: GRANT)


class TestNotes:
    def test_they_hold_no_secret(self, notes: MemoryNotes) -> None:
        """Statement 23: neither token is in the notes, nor could it be found from them."""
        attempted(notes, LOST)
        text = notes.recall()
        assert text is not None
        assert json.loads(text) == {
            "digest": json.loads(text)["digest"],
            "last_at": NOW,
            "unknown_since": NOW,
            "refusal": None,
            "after_rejection": False,
        }
        assert len(json.loads(text)["digest"]) == 16
        assert GRANT.refresh_token not in text
        assert GRANT.access_token not in text

    @pytest.mark.parametrize("field", ["last_at", "unknown_since"])
    @pytest.mark.parametrize(
        "value", ["NaN", "Infinity", "-1", "1e400", "1" + "0" * 400, '"soon"', "[]", "{}", "1099511627776"]
    )
    def test_a_time_that_is_none_counts_as_nothing_noted(self, notes: MemoryNotes, field: str, value: str) -> None:
        attempted(notes, LOST)
        content = json.loads(notes.recall() or "")
        notes.note(json.dumps({**content, field: "HERE"}).replace('"HERE"', value))
        journal = Journal(notes, GRANT)
        assert (journal.seconds_to_wait(NOW), journal.deadline) == (0, None)

    def test_the_first_second_of_all_is_a_time(self, notes: MemoryNotes) -> None:
        """A machine without a clock that runs on begins there."""
        Journal(notes, GRANT).begin(0)
        journal = Journal(notes, GRANT)
        assert (journal.seconds_to_wait(1), journal.deadline) == (10, SAFETY_NET_SECONDS)

    def test_tokens_leave_them_as_they_are(self, notes: MemoryNotes) -> None:
        journal = Journal(notes, GRANT)
        journal.begin(NOW)
        before = notes.recall()
        journal.end(REPLY, NOW + 5)
        assert notes.recall() == before

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '"x"', "{}", '{"digest": 7}', "[" * 100_000])
    def test_what_is_no_note_counts_as_nothing_noted(self, notes: MemoryNotes, text: str) -> None:
        notes.note(text)
        journal = Journal(notes, GRANT)
        assert (journal.seconds_to_wait(NOW), journal.deadline) == (0, None)

    def test_a_note_that_lacks_a_time_counts_as_nothing_noted(self, notes: MemoryNotes) -> None:
        attempted(notes, LOST)
        content = json.loads(notes.recall() or "")
        del content["unknown_since"]
        notes.note(json.dumps(content))
        assert Journal(notes, GRANT).deadline is None


class ReadOnly(MemoryNotes):
    """Notes on a disk that is full, or read-only."""

    def note(self, _: str | None) -> None:
        raise StoreUnavailable("no room")


class TestNotesThatCannotBeWritten:
    def test_before_the_request_it_is_an_error(self) -> None:
        """Nothing is sent that the next process would not know of."""
        with pytest.raises(StoreUnavailable):
            Journal(ReadOnly({}, "x"), GRANT).begin(NOW)

    def test_after_it_the_result_matters_more(self, notes: MemoryNotes, monkeypatch: pytest.MonkeyPatch) -> None:
        """What stays noted is then the more careful of the two: the attempt counts as unknown."""
        journal = Journal(notes, GRANT)
        journal.begin(NOW)
        monkeypatch.setattr(notes, "note", ReadOnly({}, "x").note)
        journal.end(refused(FailureKind.TOO_MANY_REQUESTS), NOW)
        assert journal.deadline is None
        assert Journal(notes, GRANT).deadline == NOW + SAFETY_NET_SECONDS


def test_a_note_by_another_clock() -> None:
    """All of its times are the other clock's; what cannot be read stays as it is."""
    note = {"digest": "0", "last_at": 1.0, "unknown_since": None, "refusal": {"at": 2.0, "words": "no"}}
    ahead = {**note, "last_at": 61.0, "refusal": {"at": 62.0, "words": "no"}}
    assert json.loads(note_by_clock(json.dumps(note), 60)) == ahead
    for odd in ("", "[]", "{}", '{"last_at": "x"}', "[" * 100_000):
        assert note_by_clock(odd, 60) == odd

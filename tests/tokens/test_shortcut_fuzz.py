"""The shortcut to a valid token and the command itself: whatever is on the disk, they do not contradict each other."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fuzzing import damaged, outcome, tries
from withings_auth.config.places import config_directory
from withings_auth.model import Grant
from withings_auth.provider.replies import Failure
from withings_auth.provider.statuses import FailureKind
from withings_auth.tokens.journal import Journal, refuse_ended
from withings_auth.tokens.requirement import REFUSAL_MARK
from withings_auth.tokens.shortcut import stored_token
from withings_auth.tokens.source import TokenSource

SECRET = "4ef4e5" * 7
ALPHABET = "\"{}[]:,\\u0123456789.eE-+ \n='#\ufeff\0aé"
NAMES = ["version", "access_token", "expires_at", "obtained_at", "scopes", "userid", "client_id", "token_url", "x"]
VALUES = ["1", "2", "1.0", "true", "null", "[]", '"b"', "NaN", "99999999999", "0", '"http://a/v2/oauth2"', '"é"']


NOW = int(time.time())
GRANT = Grant(
    access_token="a" * 40,
    refresh_token=SECRET,
    obtained_at=NOW - 600,
    expires_at=NOW + 10_000,
    scopes=("user.info",),
    userid="1",
    client_id="an-app",
    token_url="https://wbsapi.withings.net/v2/oauth2",
)


class Note:
    """A place for a journal."""

    text: str | None = None

    def recall(self) -> str | None:
        return self.text

    def note(self, text: str | None) -> None:
        self.text = text


def written_notes() -> list[str]:
    """What a journal writes: after an attempt, a lost answer, a refusal, and of a pair in place of a rejected one."""
    written = []
    for kind in (None, FailureKind.UNAVAILABLE, FailureKind.REFRESH_TOKEN_REFUSED):
        note = Note()
        journal = Journal(note, GRANT)
        journal.begin(NOW - 60.5)
        if kind is not None:
            journal.end(Failure(kind=kind, words='no "refusal": null'), NOW - 60.25)
        written.append(note.text or "")
    return written


NOTES = written_notes()


@pytest.fixture
def files(directory: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The record, the note beside it, and config.toml, in directories that are the user's alone."""
    monkeypatch.setenv("WITHINGS_AUTH_STORE", f"file:{directory}")
    for place in (directory, directory / "token", config_directory()):
        place.mkdir(parents=True, mode=0o700)
    record = directory / "token" / "default.json"
    return {"record": record, "note": record.with_suffix(".attempt"), "config": config_directory() / "config.toml"}


def write(file: Path, text: str) -> None:
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    file.chmod(0o600)


@tries(40)
@given(data=st.data())
def test_the_shortcut_says_what_the_command_says_or_nothing(data: st.DataObject, files: dict[str, Path]) -> None:
    record = GRANT.to_record()
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=2))
    record = record[:-1] + "".join(f',"{name}":{value}' for name, value in pairs) + "}"
    note, config = data.draw(st.sampled_from(NOTES)), 'profile = "default"\n# mine\n'
    match data.draw(st.sampled_from(["record", "note", "config", "nothing"])):
        case "record":
            record = data.draw(damaged(record, ALPHABET))
        case "note":
            note = data.draw(damaged(note, ALPHABET))
        case "config":
            config = data.draw(damaged(config, ALPHABET + "[]\r\tprofile"))
    for name, text in {"record": record, "note": note, "config": config}.items():
        write(files[name], text)
    quick = stored_token()
    if quick is not None:
        said = outcome(lambda: TokenSource().access_token(), secret=SECRET)
        assert said == quick
    assert quick is None or quick in record


@tries(40)
@given(st.data())
def test_a_damaged_note_refuses_nobody_in_other_words(data: st.DataObject) -> None:
    """A note that is not about this pair, or cannot be read, counts as none; the words of one that can are harmless."""
    note = Note()
    note.text = data.draw(st.sampled_from(NOTES).flatmap(lambda text: damaged(text, ALPHABET)))
    journal = Journal(note, GRANT)
    refused = outcome(lambda: refuse_ended("default", note.text, lambda: GRANT), secret=SECRET)
    # A note that nobody of ours has written, without the blank, is left to the next renewal.
    assert (refused is None) == (journal.refusal is None or REFUSAL_MARK not in note.text)
    assert 0 <= journal.seconds_to_wait(time.time()) <= 11
    assert journal.deadline is None or journal.deadline >= 0
    if journal.refusal is not None:
        assert journal.refusal.words.isprintable()
        assert json.loads(note.text)["digest"]

"""What was sent is masked in whatever comes back, however it is written there."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.canaries import Canaries
from withings_auth.provider.masking import MASK, mask, masked_value, repeats, secrets_in
from withings_auth.provider.replies import (
    Answer,
    Failure,
    TokenReply,
    read_body,
    read_envelope,
    read_token_reply,
)
from withings_auth.provider.statuses import FailureKind

SECRET = "3Fa9/c+07~b4e=51d86'2\"9&0<ce7741"
WRITTEN = {
    "as it is": SECRET,
    "large": SECRET.upper(),
    "percent": quote(SECRET, safe=""),
    "percent twice": quote(quote(SECRET, safe=""), safe=""),
    "all percent": "".join(f"%{ord(char):02x}" for char in SECRET),
    "HTML": html.escape(SECRET),
    "HTML by number": "".join(f"&#{ord(char)};" for char in SECRET),
    "HTML by hex": "".join(f"&#x{ord(char):X};" for char in SECRET),
    "JSON": json.dumps(SECRET)[1:-1],
    "PHP's JSON": json.dumps(SECRET)[1:-1].replace("/", "\\/"),
    "JSON escapes": "".join(f"\\u{ord(char):04x}" for char in SECRET),
}


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_however_it_is_written(written: str, whole: bool) -> None:
    """Statement 47: an escape sequence stands for its character."""
    text = f"invalid refresh_token: <{written}>; {written}."
    assert mask(text, ["another", SECRET], whole=whole) == "invalid refresh_token: <***>; ***."
    assert repeats(text, [SECRET])


@pytest.mark.parametrize(
    ("repeated", "shown"),
    [
        (SECRET[:12], "***"),
        (SECRET[-8:], "***"),
        (SECRET[4:20] + "…", "***…"),
        (SECRET[:10] + SECRET[:10], "***"),
        (SECRET + SECRET, "***"),
        (SECRET[:7], SECRET[:7]),
    ],
)
def test_a_part_of_one(repeated: str, shown: str) -> None:
    """Statement 47: half a secret is masked too; seven characters of one are no help to anybody."""
    assert mask(f"[{repeated}]", [SECRET]) == f"[{shown}]"


@pytest.mark.parametrize(
    "text", ["", "Invalid Params: invalid code", "100 % \\ & &amp; %zz &#99999; \\u00zz \u212a\u0130"]
)
def test_other_words_stay(text: str) -> None:
    assert mask(text, [SECRET, "", "abc"]) == text
    assert mask(text, []) == text


def test_a_short_secret_counts_as_a_whole() -> None:
    assert mask("wrong key s3cret, not s3cre", ["s3cret"]) == "wrong key ***, not s3cre"


@example("%4", "", "1abcdefghij")
@example("\\", "", "\u0027abcdefgh")
@given(st.text(), st.text(), st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=4))
def test_nothing_is_left_of_it(before: str, after: str, secret: str) -> None:
    """Statement 47: whatever stands around it."""
    shown = mask(f"{before} {secret} {after}", [secret])
    assert secret.lower() not in shown.replace(MASK, "").lower() or secret.lower() in MASK


def test_a_value_is_masked_wherever_it_is() -> None:
    """In lists and names too; numbers stay, and parts, which a hash in somebody's data may have by chance."""
    value = {"a": [SECRET, 7, None], SECRET: {"b": f"x{SECRET}"}, "part": SECRET[:12]}
    assert masked_value(value, [SECRET]) == {"a": ["***", 7, None], "***": {"b": "x***"}, "part": SECRET[:12]}


def test_the_secrets_of_a_form() -> None:
    form = {"action": "requesttoken", "client_id": "id", "client_secret": "s", "code": "c", "redirect_uri": "http://x"}
    assert secrets_in(form) == ("s", "c")
    assert secrets_in({"refresh_token": "r", "signature": "h", "timestamp": "1"}) == ("r", "h")


class TestReplies:
    def answer(self, content: Mapping[str, object], *sent: str) -> Answer:
        return Answer(http_status=200, body=json.dumps(content).encode(), sent=sent)

    @pytest.mark.parametrize("shape", ["error", "error_description", "errors"])
    def test_the_words_of_a_failure(self, canaries: Canaries, shape: str) -> None:
        """Statement 47: its kind is still that of Withings' own words."""
        secret = canaries.plant("refresh token")
        text = f"invalid refresh_token {secret}"
        content: dict[str, object] = {shape: [{"message": text}] if shape == "errors" else text}
        failed = read_token_reply(self.answer(content, secret))
        assert failed == Failure(kind=FailureKind.REFRESH_TOKEN_REFUSED, words="invalid refresh_token ***")

    def test_one_at_the_cut(self, canaries: Canaries) -> None:
        """Statement 47: words are shortened, and what is left of the secret is masked all the same."""
        secret = canaries.plant("refresh token")
        failed = read_token_reply(self.answer({"status": 503, "error": "x" * 180 + secret}, secret))
        assert isinstance(failed, Failure)
        assert failed.words == "x" * 180 + "***…"

    @pytest.mark.parametrize("name", ["access_token", "userid"])
    def test_a_secret_in_the_place_of_another_value(self, name: str) -> None:
        """Statement 47: an access token and a userid are shown, and must not be something that was sent."""
        body = {"access_token": "a" * 40, "refresh_token": "b" * 40, "userid": "7", name: "c" * 40}
        failed = read_token_reply(self.answer({"status": 0, "body": body}, "c" * 40))
        assert failed == Failure(kind=FailureKind.MALFORMED, words="it repeats a secret that was sent")

    def test_a_secret_among_the_scopes(self) -> None:
        body = {"access_token": "a" * 40, "refresh_token": "b" * 40, "scope": f"user.info,user.{'c' * 40}"}
        reply = read_token_reply(self.answer({"status": 0, "body": body}, "C" * 40, "b" * 40))
        assert isinstance(reply, TokenReply)
        assert (reply.scopes, reply.refresh_token) == (("user.info",), "b" * 40)

    def test_a_body_and_an_envelope(self) -> None:
        """Statement 47: `withings-auth api` prints them."""
        content = {"status": 0, "body": {"echo": [SECRET, 7]}, "error": SECRET}
        answer = self.answer(content, SECRET)
        assert read_body(answer) == {"echo": ["***", 7]}
        assert read_envelope(answer) == {"status": 0, "body": {"echo": ["***", 7]}, "error": "***"}

    @pytest.mark.parametrize("depth", [90, 101, 992, 50_000])
    def test_a_secret_below_many_levels(self, depth: int) -> None:
        """json may read more of them than can be searched or printed, by version; then nothing of it is shown."""
        deep = b'{"status": 0, "body": {"x": ' + b"[" * depth + json.dumps(SECRET).encode() + b"]" * depth + b"}}"
        answer = Answer(http_status=200, body=deep, sent=(SECRET,))
        body, envelope = read_body(answer), read_envelope(answer)
        assert isinstance(body, Failure) == (depth > 100) == (envelope is None)
        assert isinstance(body, Failure) or innermost(body) == "***"
        assert envelope is None or innermost(envelope["body"]) == "***"


def innermost(value: object) -> object:
    """What is below all levels."""
    while isinstance(value, list | dict):
        (value,) = value.values() if isinstance(value, dict) else value
    return value

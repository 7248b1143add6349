"""Text from outside: harmless when shown, and of a fixed alphabet before it is used."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from withings_auth.validation import (
    LOOPBACK_HOSTS,
    is_client_id,
    is_client_secret,
    is_opaque_token,
    is_profile,
    is_scope,
    is_service_url,
    is_userid,
    parsed_url,
    printable,
    scope_list,
    whole_number,
)

HOSTILE = {
    "clear screen": "\x1b[2J",
    "title": "\x1b]0;owned\x07",
    "8-bit sequence": "\x9b31m",
    "new line": "a\nwithings-auth: error: forged",
    "carriage return": "real\rfake",
    "vertical tab": "\x0b",
    "next line": "\x85",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "null": "\x00",
    "delete": "\x7f",
    "backspaces": "abc\b\b\bxyz",
    "right-to-left override": "\u202egnp.exe",
    "right-to-left embedding": "\u202b",
    "isolates": "\u2066\u2067\u2068\u2069",
    "marks": "\u200e\u200f\u061c",
    "zero width": "\u200b\u200c\u200d\u2060\ufeff",
    "soft hyphen": "\u00ad",
    "tag": "\U000e0041",
    "surrogate": "\udcff",
    "private use": "\ue000",
    "not assigned": "\U000e1234",
    "blank that is none": "\u00a0\u3000",
}


class TestPrintable:
    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
    def test_nothing_that_a_terminal_obeys_gets_through(self, text: str) -> None:
        """Statement 35: control characters, sequences, overrides and invisible characters are shown escaped."""
        shown = printable(text)
        assert shown.isprintable()
        assert "\\" in shown
        shown.encode("utf-8")

    @given(st.text())
    def test_whatever_comes_stays_on_one_line_and_within_its_bound(self, text: str) -> None:
        """Statement 35: no category of characters that controls or hides anything is left in any text."""
        shown = printable(text, limit=40)
        assert len(shown) <= 40
        assert all(unicodedata.category(char)[0] != "C" or char == "…" for char in shown)
        assert not any(unicodedata.category(char) in {"Zl", "Zp"} for char in shown)
        assert not any(unicodedata.bidirectional(char) in {"RLO", "LRO", "RLE", "LRE", "RLI", "LRI"} for char in shown)

    @given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
    def test_plain_text_stays_as_it_is(self, text: str) -> None:
        """The user reads the text, up to the limit."""
        assert printable(text, limit=40) == text

    def test_what_was_cut_off_is_marked(self) -> None:
        """A text that is longer than its bound ends in a mark, and takes no time in proportion to its length."""
        assert printable("a" * 10**7, limit=5) == "aaaa…"
        assert printable("\x1b" * 10, limit=10) == "\\x1b\\x1b\\…"
        assert printable("ä €") == "ä €"


class TestProfiles:
    @pytest.mark.parametrize(
        "name", ["default", "a", "A", "0", "me.at-home_2", "a" * 64, "a.next.b", "console", "x.con"]
    )
    def test_what_can_be_one(self, name: str) -> None:
        """Statement 37: letters, digits, dots, hyphens and underscores, up to 64."""
        assert is_profile(name)

    @pytest.mark.parametrize(
        "name",
        [
            ".",
            "..",
            ".hidden",
            "-flag",
            "_x",
            "a/b",
            "a\\b",
            "../x",
            "a/../b",
            "a:b",
            "a*",
            "ä",
            "a\u0131",
            "con",
            "CON",
            "con.txt",
            "Nul",
            "prn",
            "aux",
            "com1",
            "LPT9",
            "com0",
            "nul.json",
            "default.next",
            "X.NEXT",
            "",
            " ",
            "a b",
            "a\n",
            "a" * 65,
            "a\x00",
            "\uff41",
            "a\u200b",
        ],
    )
    def test_what_cannot(self, name: str) -> None:
        """Statement 37: no path, no hidden file, no device of Windows, no spare record, nothing that looks alike."""
        assert not is_profile(name)


ALPHABETS = [
    (is_client_id, ["a" * 128, "Az09_-"], ["", "a" * 129, "a.b", "a/b", "a b", "a\n", "é"]),
    (is_client_secret, ["a", "!~" * 128], ["", "a" * 257, "a b", "a\n", "a\r\nX: y", "é", "\x7f"]),
    (
        is_opaque_token,
        ["a", "a" * 2047, "a" * 2047 + "=", "aZ0-._~+/=="],
        ["", "=", "a=b", "a" * 2048, "a" * 2049, "a" * 2048 + "=", "a b", "a\r\nX: y", "a\n", "é", '"'],
    ),
    (is_userid, ["12345678", "a-B_9"], ["", "1" * 65, "1 2", "1\n", "../1", "\u0661"]),
    (is_scope, ["user.metrics", "a:b_c-d.0"], ["", "a" * 65, "User", "a,b", "a b", "a\n", "ä"]),
]


@pytest.mark.parametrize(("fits", "right", "wrong"), ALPHABETS, ids=lambda value: getattr(value, "__name__", ""))
def test_alphabets_and_lengths(fits: object, right: list[str], wrong: list[str]) -> None:
    """Statements 36, 37: each kind of text has its alphabet and its length; a line end at its end is no exception."""
    assert callable(fits)
    assert all(fits(text) for text in right)
    assert [text for text in wrong if fits(text)] == []


class TestUrls:
    @pytest.mark.parametrize(
        "url",
        [
            "https://wbsapi.withings.net/v2/oauth2",
            "http://localhost:8000",
            "http://127.0.0.1:1/x",
            "http://[::1]:80/v2",
            "https://xn--bcher-kva.example",
            "https://xn--fa-hia.de:443",
        ],
    )
    def test_where_secrets_may_go(self, url: str) -> None:
        """Statement 38: https anywhere, plain http to this machine alone."""
        assert is_service_url(url)

    @pytest.mark.parametrize(
        "url",
        [
            "http://withings.net",
            "http://localhost.evil.net",
            "http://127.0.0.1.evil.net",
            "http://localhost@evil.net",
            "https://user:word@withings.net",
            "https://withings.net/?a=b",
            "https://withings.net/#a",
            "ftp://withings.net",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "//withings.net",
            "withings.net",
            "https://",
            "https://:443",
            "https:///x",
            "https://withings.net:0",
            "https://withings.net:99999",
            "https://withings.net:x",
            "https://with\\ings.net",
            "http://2130706433",
            "http://127.1",
            "http://0.0.0.0",
            "http://[::ffff:127.0.0.1]",
            "http://127.0.0.2",
            "https://[::1",
            "https://[::1]x",
            "https://xn--a",
            "https://xn--.net",
            "https://xn--0.pt",
            'https://a"b',
            "https://a'b",
            "https://a<b",
            "https://a`b",
            *(f"https://a/{char}" for char in "\"'<>\\^`{|}"),
            "https://ä.net",
            "",
            "https://a b",
            "https://a\n",
            "https://a\r\nHost: b",
            "\thttps://a",
            "https://" + "a" * 2000,
        ],
    )
    def test_where_they_may_not(self, url: str) -> None:
        """Statement 38: no tricks with hosts, user names, characters or schemes."""
        assert not is_service_url(url)

    def test_how_long_a_url_may_be(self) -> None:
        """The whole counts; its parts have no limits of their own."""
        longest = "https://a/".ljust(2000, "x")
        assert parsed_url(longest)
        assert not parsed_url(f"{longest}x")

    @given(st.text(max_size=60))
    def test_a_clean_url_has_nothing_to_escape(self, text: str) -> None:
        """Statement 35: a URL that was taken as clean holds printable ASCII alone, and none that HTML would obey."""
        for candidate in (text, f"http://localhost/{text}", f"https://{text}"):
            if parsed_url(candidate) is not None:
                assert re.fullmatch(r"[\x21-\x7e]+", candidate)
                assert not set(candidate) & set("\"'<>\\`")

    def test_loopback_is_three_names(self) -> None:
        """Statement 1: nothing else counts as this machine."""
        assert {"localhost", "127.0.0.1", "::1"} == LOOPBACK_HOSTS


class TestScopeLists:
    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("user.info,user.metrics", ("user.info", "user.metrics")),
            (" user.metrics , user.info,,user.metrics,", ("user.metrics", "user.info")),
            ("", ()),
            (" , ", ()),
        ],
    )
    def test_it_is_split_at_its_commas(self, text: str, names: tuple[str, ...]) -> None:
        """Blanks and repetitions go, the order stays."""
        assert scope_list(text) == names

    @pytest.mark.parametrize("text", ["user.info user.metrics", "User", "a,b\x1b[2J", "a,\u202eb"])
    def test_what_cannot_be_a_scope_is_shown_escaped(self, text: str) -> None:
        """Statements 35, 36: the complaint names it, harmlessly."""
        with pytest.raises(ValueError, match="cannot be a scope") as wrong:
            scope_list(text)
        assert str(wrong.value).isprintable()


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *((spelled, 7) for spelled in (7, 7.0, "7", "7.0", " 7 ", "07")),
        *((spelled, -7) for spelled in (-7, -7.0, "-7")),
        (10**300, 10**300),
        *((odd, None) for odd in (True, None, 7.5, "7.5", "", "seven", "\u0667", 1e300, float("nan"), [7], "9" * 16)),
    ],
)
def test_whole_numbers_however_they_are_spelled(value: object, number: int | None) -> None:
    assert whole_number(value) == number

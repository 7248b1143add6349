"""Files of shell variables: a value is the one that a real shell would give the variable, or it is refused."""

from __future__ import annotations

import subprocess

from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.fuzzing import outcome, tries
from withings_auth.config.envfile import EnvFile, decode_text, read_env_file
from withings_auth.errors import ConfigurationError

SECRET = "5ec4e7" * 6
# No character that could make the shell start or write anything: it finds no program, and writes to no file.
WORDS = st.lists(
    st.sampled_from(
        [SECRET, "a", "b", " ", "\t", "'", '"', "#", ";", "$", "$a", "`", "\\", "=", "{", "}", "~", "*", "é", "\u00a0"]
    ),
    max_size=6,
).map("".join)
LINES = st.one_of(
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "", "export ", " ", "export\t"]),
        st.sampled_from(["CLIENT_SECRET", "CLIENT_SECRET", "CONSUMER_SECRET", "client_secret", "CLIENT-SECRET"]),
        st.sampled_from(["=", "=", "=", " = ", "="]),
        WORDS,
    ),
    # Not in quotes that are still open at the line's end: those would make the next line part of another variable.
    WORDS.map(lambda text: f"OTHER={text}" if not {*"'\"`\\"} & {*text} else ""),
    st.builds(
        "CLIENT_SECRET={0}{1}{0}{2}".format, st.sampled_from(["'", '"', ""]), WORDS, st.sampled_from(["", " # a", ";"])
    ),
    WORDS.map("# {}".format),
    st.just(""),
)
FILES = st.builds(
    lambda lines, end: "".join(f"{line}{end}" for line in lines), st.lists(LINES, max_size=3), st.sampled_from("\n\r")
)


def told_by_a_shell(text: str) -> str | None:
    """What the variable is after the file was sourced; None if a shell complains about it."""
    script = f'{text}\nprintf %s "${{CLIENT_SECRET:-$CONSUMER_SECRET}}"'
    ran = subprocess.run(
        ["/bin/sh", "-uc", 'eval "$1"', "sh", script],
        env={"PATH": "/nowhere", "HOME": "/root"},
        capture_output=True,
        check=False,
    )
    return ran.stdout.decode("utf-8", "replace") if ran.returncode == 0 and not ran.stderr else None


def read(text: str) -> EnvFile | ConfigurationError:
    """Statement 23: an error names lines, never a value."""
    found = outcome(lambda: read_env_file(text), secret=SECRET, allowed=ConfigurationError)
    assert isinstance(found, EnvFile | ConfigurationError)
    assert SECRET not in repr(found)
    return found


@tries(40, share=4)
@given(FILES)
def test_a_value_is_the_one_that_a_shell_reads(text: str) -> None:
    """A file that a shell understands is read as it means it, or refused; only an empty value counts as none."""
    found = read(text)
    meant = None if "\r" in text else told_by_a_shell(f"CLIENT_SECRET=\nCONSUMER_SECRET=\n{text}")
    if meant and isinstance(found, EnvFile):
        assert found.app.client_secret == meant


@tries(40)
@given(st.text("abc'\"$`\\ #;=\t\n\r\x0b\x85é", max_size=20))
def test_single_quotes_keep_every_value(value: str) -> None:
    """Whatever a value is made of, on one line and without a single quote."""
    if "'" not in value and len(f"{value}x".splitlines()) == 1:
        assert read(f"CLIENT_SECRET='{value}'") == read(f"\r\nexport CLIENT_SECRET = '{value}' # x'\n")
        found = read(f"CLIENT_SECRET='{value}'")
        assert isinstance(found, EnvFile)
        assert (found.app.client_secret or "") == value


@tries(40)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20), st.binary(max_size=12))
@example("a", b"")
def test_every_encoding_of_an_editor_is_read(value: str, noise: bytes) -> None:
    """UTF-8 and UTF-16, with and without a byte order mark; whatever the bytes, the result is a text or none."""
    text = f"CLIENT_SECRET='{value}'\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"):
        assert (decode_text(text.encode(encoding)) or "").removeprefix("\ufeff") == text
    decoded = decode_text(noise)
    if decoded is not None:
        read(decoded)

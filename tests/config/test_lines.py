"""A config.toml of plain lines is read as TOML, without `tomllib`; and the directories are those of platformdirs."""

from __future__ import annotations

import tomllib

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from withings_auth.config.lines import read_plainly
from withings_auth.config.places import config_directory

LINES = st.sampled_from(
    [
        *("", "  ", "# a comment", "\t# tab", 'client_id = "abc"', 'store="file:~/x"', 'profile = "mum" # hers'),
        *('  scopes\t=\t"a,b"  ', 'profile = "dad"', 'a.b = "c"', '"quoted" = "x"', 'x = "a\\n"', 'x = "a\tb"'),
        *("x = 'literal'", "x = 5", 'x = ["a", "b"]', "[programs.x]", 'x = """long', 'x = "a" b', 'x = "é"', "x ="),
        *('x = "a', '= "a"', "# \x07", '"""', 'x = "\x7f"', '-x_1 = ""', "\ufeff", 'x = "a" \x0c', "x", "\x0b"),
    ]
)


@given(st.lists(LINES, max_size=4), st.sampled_from(["\n", "\r\n", "\r"]))
def test_what_is_read_means_the_same_in_toml(lines: list[str], end: str) -> None:
    text = "".join(f"{line}{end}" for line in lines)
    plain = read_plainly(text)
    assert plain is None or plain == tomllib.loads(text)


def test_what_configure_writes_is_plain() -> None:
    """So are the comments of a user."""
    text = '# my app\nclient_id = "abc"\nstore = "file:~/.withings-auth"  # no keyring here\n\nscopes = "user.info"\n'
    assert read_plainly(text) == {"client_id": "abc", "store": "file:~/.withings-auth", "scopes": "user.info"}


@pytest.mark.parametrize("text", ['x = "a"\nx = "a"', "x = 1", '[programs.x]\nimage = "y"', 'x = "a\\u0041"', "\ufeff"])
def test_anything_else_is_left_to_tomllib(text: str) -> None:
    assert read_plainly(text) is None


@pytest.mark.parametrize("named", [None, "", " ", "/somewhere", "/with/slash/", "relative", "~/x"])
@pytest.mark.parametrize("home", ["/home/somebody", "/home/somebody/", "/", "relative", ""])
def test_the_directory_of_settings_is_that_of_platformdirs(
    monkeypatch: pytest.MonkeyPatch, named: str | None, home: str
) -> None:
    monkeypatch.setenv("HOME", home)
    if named is None:
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    else:
        monkeypatch.setenv("XDG_CONFIG_HOME", named)
    expected = platformdirs.user_config_path("withings-auth", appauthor=False)
    assert config_directory() == expected

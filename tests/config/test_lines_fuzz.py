"""A plain config.toml: what is read without a TOML parser is what two of them read."""

from __future__ import annotations

import tomllib

import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fuzzing import damaged, tries
from withings_auth.config.lines import VARIABLES, read_plainly

WRITTEN = (
    '# my app\nclient_id = "abc"\nstore="file:~/x"  # no keyring\n\n\tscopes = "user.info,user.metrics"\r\nlisten=""\n'
)
ALPHABET = " \t\r\n=\"'#.[]{}\\ux-_é\x00\x07\x0b\x0c\x1f\x7f\x85\u2028\ufeff\ud800"
VALUES = st.text("ab\\\"'# \t\r\né\x7f\x0b", max_size=6)
TEXTS = st.one_of(
    damaged(WRITTEN, ALPHABET),
    st.text(ALPHABET + "ab", max_size=16).map(lambda text: f'profile = "{text}"'),
    st.text(ALPHABET + "ab", max_size=12),
)


@tries(60)
@given(TEXTS)
def test_what_is_read_plainly_is_toml(text: str) -> None:
    """Or it is left to the parser."""
    plain = read_plainly(text)
    if plain is not None:
        assert plain == tomllib.loads(text)
        assert plain == tomlkit.parse(text).unwrap()


@tries(30)
@given(st.dictionaries(st.sampled_from(sorted(VARIABLES)), VALUES))
def test_what_is_written_as_toml_is_read_plainly_or_not_at_all(values: dict[str, str]) -> None:
    """As `configure` writes it."""
    plain = read_plainly(tomlkit.dumps(values))
    assert plain in (None, values)
    simple = all(value.isprintable() and not {'"', "\\"} & {*value} for value in values.values())
    assert not simple or plain == values

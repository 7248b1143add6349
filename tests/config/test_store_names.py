"""A password in the name of a store: only a variable may have it, and nothing shows or keeps it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.canaries import Canaries
from withings_auth.config.settings import Settings, open_store, read_settings
from withings_auth.errors import ConfigurationError
from withings_auth.store import has_password, hosts_of, open_named_store, refuse_password, shown_name

PLAIN = "postgresql://db.example.org/withings"
SHOWN = {
    "keyring": "keyring",
    "file:~/me@home/password": "file:~/me@home/password",
    PLAIN: PLAIN,
    "postgres://me@h:5433,i/d?sslmode=verify-full&schema=s": "postgres://me@h:5433,i/d?sslmode=verify-full&schema=s",
    "postgresql://me:{secret}@h/d": "postgresql://me@h/d",
    "postgresql://:{secret}@h/d?application_name=a%40b": "postgresql://@h/d?application_name=a%40b",
    "postgresql:///d?user=me&password={secret}&schema=s": "postgresql:///d?user=me&schema=s",
    "postgresql:///d?ssl%70assword={secret}": "postgresql:///d",
    "postgresql://me:{secret}/and@h/d": "postgresql://…",
    "postgresql://me:{secret}?and@h/d": "postgresql://…",
    "postgresql+psycopg://me:{secret}@h/d": "postgresql+psycopg…",
}


def settings(directory: Path, **variables: str) -> Settings:
    return read_settings({}, variables, directory)


@pytest.mark.parametrize("pattern", SHOWN)
def test_it_is_never_shown(pattern: str, canaries: Canaries, tmp_path: Path) -> None:
    """Statements 23 and 25: nor does an error; what is shown is the name of the same store."""
    secret = canaries.plant("the password")
    name = pattern.format(secret=secret)
    assert shown_name(name) == SHOWN[pattern]
    assert has_password(name) is (secret in name)
    found = settings(tmp_path, WITHINGS_AUTH_STORE=name)
    assert secret not in repr(found)
    assert found.shown_store == SHOWN[pattern]
    assert (found.unsaved_store is None) is (has_password(name) or name == "keyring")
    try:
        shown = found.open_store().description
    except ConfigurationError as error:
        shown = f"{error} {error.hint}"
        assert "…" in SHOWN[pattern]
    assert secret not in shown


def test_a_name_that_is_no_url_at_all(canaries: Canaries, tmp_path: Path) -> None:
    """As libpq would take it."""
    secret = canaries.plant("the password")
    with pytest.raises(ConfigurationError) as refused:
        open_named_store(f"host=h password={secret}", tmp_path)
    assert secret not in str(refused.value)


def test_config_toml_must_not_have_one(canaries: Canaries, tmp_path: Path) -> None:
    """Statement 25: even if a variable names another store; the hint says where it belongs."""
    name = f"postgresql://me:{canaries.plant('the password')}@h/d"
    (tmp_path / "config.toml").write_text(f'store = "{name}"\n')
    for variables in ({}, {"WITHINGS_AUTH_STORE": "keyring"}):
        with pytest.raises(ConfigurationError) as refused:
            settings(tmp_path, **variables)
        assert str(refused.value) == f"“store” in {tmp_path}/config.toml must not have a password"
        assert all(place in refused.value.hint for place in ("~/.pgpass", "PGPASSFILE", "service"))


def test_without_one_it_may_be_anywhere(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'store = "{PLAIN}"\n')
    assert settings(tmp_path).store == PLAIN
    refuse_password(PLAIN, "--store")
    assert open_store(f"{PLAIN}?sealed=off").description == "the PostgreSQL database db.example.org/withings"


def test_an_unescaped_character_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="WITHINGS_AUTH_STORE has an “@” that does not end") as refused:
        settings(tmp_path, WITHINGS_AUTH_STORE="postgresql://me:a/b@h/d").open_store()
    assert "“/” as %2F" in refused.value.hint


@pytest.mark.parametrize(
    ("name", "hosts"),
    [
        ("keyring", []),
        ("postgresql://me@a.example.org:1,b.example.org/d", ["a.example.org", "b.example.org"]),
        ("postgresql://[2001:db8::1]:1,[2001:db8::2]/d", ["2001:db8::1", "2001:db8::2"]),
        ("postgresql://127.0.0.1:1,[::1]:1/d", []),
        ("postgresql://a.example.org/d?schema=s", ["a.example.org"]),
        ("postgresql://h/d?schema=No", []),
    ],
)
def test_the_hosts_that_a_report_hides(name: str, hosts: list[str]) -> None:
    assert hosts_of(name) == hosts


@pytest.mark.parametrize(
    ("prefix", "command"),
    [
        ("/home/me/.local/share/pipx/venvs/withings-auth", "pipx inject withings-auth"),
        ("/home/me/my venv", "'/home/me/my venv/bin/python' -m pip install"),
    ],
)
def test_a_missing_library_is_explained_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, prefix: str, command: str, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "prefix", prefix)
    monkeypatch.setattr(sys, "executable", f"{prefix}/bin/python")
    for module in ("withings_auth.store.postgresql.database_store", "psycopg"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match="for which psycopg is missing") as refused:
        open_named_store(PLAIN, tmp_path, place="--store")
    assert refused.value.hint == f"install it: {command} 'psycopg[binary]>=3.2.3' 'cryptography>=44'"
    assert refused.value.exit_code == 2

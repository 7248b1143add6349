"""Which place a store's name means, what of it may be shown, and what is no name of a store."""

from __future__ import annotations

import pytest

from withings_auth.errors import ConfigurationError
from withings_auth.store import is_database
from withings_auth.store.postgresql.address import Address, parse_address, without_password

PLAIN = "postgresql://db.example.org/withings"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        (PLAIN, "db.example.org/withings"),
        ("postgres://db.example.org/withings", "db.example.org/withings"),
        ("postgresql://anna@db.example.org:5433/withings", "db.example.org:5433/withings"),
        ("postgresql://anna:s3cr3t@db.example.org/withings", "db.example.org/withings"),
        (f"{PLAIN}?sslmode=require&connect_timeout=3", "db.example.org/withings"),
        (f"{PLAIN}?schema=withings_auth", "db.example.org/withings"),
        (f"{PLAIN}?schema=study", "db.example.org/withings/study"),
        (f"{PLAIN}?schema=study&user=anna&password=s3cr3t", "db.example.org/withings/study"),
        ("postgresql://db.example.org:5433", "db.example.org:5433/"),
        ("postgresql://one,two:5433/withings", "one,two:5433/withings"),
        ("postgresql://one:5432,two:5433/withings", "one:5432,two:5433/withings"),
        ("postgresql://[2001:db8::1]/withings", "[2001:db8::1]/withings"),
        ("postgresql:///withings?host=/run/postgresql", "/run/postgresql/withings"),
        ("postgresql://%2Frun%2Fpostgresql/withings", "/run/postgresql/withings"),
        ("postgresql:///withings?port=5433", ":5433/withings"),
        ("postgresql:///withings", "/withings"),
        ("postgresql://db.example.org?dbname=withings", "db.example.org/withings"),
        ("postgresql://", "/"),
        ("postgresql://?service=study", "service study"),
        ("postgresql://db.example.org?service=study", "db.example.org/"),
        (f"{PLAIN}?user=a@b", "db.example.org/withings"),
        ("postgresql://db.example.org?dbname=withings&user=a@b", "db.example.org/withings"),
        ("postgresql://anna:s3cr3t@db.example.org?dbname=withings&application_name=a@b", "db.example.org/withings"),
        (f"postgresql://db.example.org/{'w' * 160}", f"db.example.org/{'w' * 144}…"),
        ("postgresql://db.example.org/withings?service=study", "db.example.org/withings"),
    ],
)
def test_what_is_shown_says_where_it_is_and_nothing_else(name: str, place: str) -> None:
    """The place is the same for everybody who uses the store: their users, passwords and TLS settings differ."""
    assert parse_address(name).place == place


@pytest.mark.parametrize(
    ("name", "conninfo"),
    [
        (PLAIN, PLAIN),
        (f"{PLAIN}?schema=study", PLAIN),
        (f"{PLAIN}?sealed=off&sslmode=verify-full&schema=study&options=-c%20x%3D1&&", None),
        ("postgres://anna@db.example.org", "postgresql://anna@db.example.org"),
        ("postgresql://?service=study", "postgresql://?service=study"),
    ],
)
def test_the_rest_goes_to_libpq_as_it_is(name: str, conninfo: str | None) -> None:
    assert parse_address(name).conninfo == (conninfo or f"{PLAIN}?sslmode=verify-full&options=-c%20x%3D1")


def test_the_schema_and_whether_it_is_sealed() -> None:
    """Records are sealed unless the name says otherwise, in so many words."""
    usual = parse_address(PLAIN)
    assert (usual.schema, usual.sealed) == ("withings_auth", True)
    other = parse_address(f"{PLAIN}?schema=study_2&sealed=off")
    assert (other.schema, other.sealed) == ("study_2", False)
    assert parse_address(f"{PLAIN}?sealed=on").sealed


@pytest.mark.parametrize(
    ("name", "has_password"),
    [
        (PLAIN, False),
        ("postgresql://anna@db.example.org/withings", False),
        ("postgresql://anna:@db.example.org/withings", True),
        ("postgresql://anna:s3cr3t@db.example.org/withings", True),
        ("postgresql://anna:s3%40cr3t@db.example.org/withings", True),
        (f"{PLAIN}?password=s3cr3t", True),
        (f"{PLAIN}?user=anna&sslpassword=s3cr3t", True),
        (f"{PLAIN}?passfile=/home/anna/.pgpass", False),
    ],
)
def test_a_password_is_noticed_and_never_shown(name: str, has_password: bool) -> None:
    address = parse_address(name)
    assert (without_password(name) != name) is has_password
    assert "cr3t" not in repr(address) + address.place


@pytest.mark.parametrize(
    "parameters",
    [
        "schema=",
        "schema=Study",
        "schema=a.b",
        'schema="x"',
        "schema=study%22;drop",
        f"schema={'a' * 64}",
        "schema=1st",
        "sealed=no",
        "sealed=",
        "options=-c x",
        "options=%0a\n",
    ],
)
def test_what_is_no_name_is_refused(parameters: str) -> None:
    """The schema becomes part of SQL, so only plain names will do. The error does not repeat the whole name."""
    with pytest.raises(ConfigurationError) as refused:
        parse_address(f"postgresql://anna:s3cr3t@db.example.org/withings?{parameters}", place="WITHINGS_AUTH_STORE")
    assert str(refused.value).startswith("WITHINGS_AUTH_STORE has ")
    assert refused.value.hint
    assert "s3cr3t" not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize(
    "password", ["s3/cr3t", "s3?cr3t", "s3?cr3t=x", "s3cr3t?x=1", "s3/cr3t@", "s3@cr3t", "53?a=cr3t", "5/3?cr3t"]
)
def test_a_password_that_ends_the_name_early_is_not_shown_as_its_host(password: str) -> None:
    name = f"postgresql://anna:{password}@db.example.org/withings"
    with pytest.raises(ConfigurationError) as refused:
        parse_address(name)
    assert str(refused.value) == "store has an “@” that does not end a user and a password"
    assert "“/” as %2F" in refused.value.hint
    assert without_password(name) == "postgresql://…"
    assert not any(
        part in f"{refused.value} {refused.value.hint} {without_password(name)}" for part in ("s3", "53", "cr3t")
    )


@pytest.mark.parametrize("name", ["postgresql://db.example.org:54a3/withings", "postgresql://one:1,[::1]:x/withings"])
def test_a_port_is_a_number(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^store has a port that is not a number\n") as refused:
        parse_address(name)
    assert "a database is named like postgresql://" in refused.value.hint
    assert without_password(name) == "postgresql://…"


@pytest.mark.parametrize(
    ("parameter", "shown"),
    [(f"sealed={'x' * 21}", f"sealed={'x' * 19}…"), (f"schema={'x' * 81}", f"schema={'x' * 79}…")],
)
def test_what_is_too_long_is_not_shown_whole(parameter: str, shown: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^store has {shown}"):
        parse_address(f"{PLAIN}?{parameter}")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (PLAIN, PLAIN),
        ("postgres://anna:s3cr3t@db.example.org/withings?schema=x", "postgres://anna@db.example.org/withings?schema=x"),
        (f"{PLAIN}?user=anna&password=s3cr3t&sslpassword=s3cr3t", f"{PLAIN}?user=anna"),
        (f"{PLAIN}?user=anna&password=s3cr3t&sslmode=require", f"{PLAIN}?user=anna&sslmode=require"),
        (f"{PLAIN}?pass%77ord=s3cr3t", PLAIN),
        (f"{PLAIN}?options=password=x", f"{PLAIN}?options=password=x"),
        (f"{PLAIN}?options=a://b", f"{PLAIN}?options=a://b"),
        ("postgresql://db.example.org:5433/withings", "postgresql://db.example.org:5433/withings"),
    ],
)
def test_a_name_without_its_password(name: str, shown: str) -> None:
    assert without_password(name) == shown


def test_which_names_are_those_of_a_database() -> None:
    assert is_database(PLAIN)
    assert is_database("postgres://")
    assert not any(map(is_database, ("keyring", "file:/srv/postgresql://", "postgresql:", "mysql://db.example.org/x")))


def test_an_address_is_a_value() -> None:
    assert parse_address(PLAIN) == Address(conninfo=PLAIN, place="db.example.org/withings")

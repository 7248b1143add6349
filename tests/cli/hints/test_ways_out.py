"""Hints whose commands are pasted as they are: each is about the profile that had the trouble, and leads out of it.

Beside that profile there is always the login of another one, which no remedy may touch.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.commands.import_.steps import NO_APP
from tests.cli.hints.steps import (
    MUM,
    age,
    app,
    asks_for_the_address,
    asks_for_the_secret,
    end,
    imports,
    logs_in,
    lose_secret,
    never_mind,
    record,
    removes,
    removes_and_logs_in,
    renews,
    spoil_secret,
    takes_back,
    works,
)
from tests.conftest import MakeDesk
from tests.support.hints import commands_in
from tests.support.logins import Desk
from tests.support.profiles import DAY
from tests.support.programs import Finished
from withings_auth.errors import StoreCorrupt, WithingsAuthError
from withings_auth.tokens.practice import PRACTICE_PROFILE
from withings_auth.tokens.source import TokenSource

pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.fixture
def family(make_desk: MakeDesk, home: Path) -> Iterator[Desk]:
    """A desk with the logins `default` and `mum`, of two people; config.toml names another app than theirs."""
    desk = make_desk()
    desk.env |= {**NO_APP, "WITHINGS_AUTH_PROFILE": None}
    desk.put_login()
    desk.put_login("mum", person=2)
    desk.plant_secrets()
    (home / ".config" / "withings-auth").mkdir(parents=True)
    (home / ".config" / "withings-auth" / "config.toml").write_text('client_id = "another"\n')
    before = record(desk, "default").read_text()
    yield desk
    assert record(desk, "default").read_text() == before


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What happened, what the user types, and what the command in the hint that begins with `pasted` does."""

    typed: str
    pasted: str
    leads_out: Callable[[Desk, list[str]], None] = works
    happened: Callable[[Desk], object] = lambda _: None
    stdin: str = ""
    env: str | None = None


TROUBLES = {
    "nobody is logged in": Trouble(
        happened=lambda desk: record(desk).unlink(), typed="token", pasted="login", leads_out=logs_in
    ),
    "the record is damaged": Trouble(
        happened=lambda desk: record(desk).write_text("not JSON"),
        typed="token",
        pasted="logout",
        leads_out=removes_and_logs_in,
    ),
    "the record is no text": Trouble(
        happened=lambda desk: record(desk).write_bytes(b"\xff"),
        typed="api measure getmeas",
        pasted="logout",
        leads_out=removes_and_logs_in,
    ),
    "Withings has ended the login": Trouble(happened=end, typed="token", pasted="login", leads_out=logs_in),
    "another program has renewed it": Trouble(
        happened=end, typed="token", pasted="import --replace FILE", leads_out=takes_back
    ),
    "a year is over": Trouble(
        happened=lambda desk: age(desk, 366 * DAY), typed="status", pasted="login", leads_out=logs_in
    ),
    "a year is nearly over": Trouble(
        happened=lambda desk: age(desk, 350 * DAY), typed="status", pasted="token --renew"
    ),
    "the client secret is wrong": Trouble(
        happened=spoil_secret, typed="token", pasted="configure", leads_out=asks_for_the_secret
    ),
    "the client secret is lost": Trouble(
        happened=lose_secret, typed="token", pasted="configure", leads_out=asks_for_the_secret
    ),
    "the app's record is damaged": Trouble(
        happened=lambda desk: lose_secret(desk, "not JSON"),
        typed="status",
        pasted="configure",
        leads_out=asks_for_the_secret,
    ),
    "doctor finds no login": Trouble(
        happened=lambda desk: record(desk).unlink(), typed="doctor --offline", pasted="login", leads_out=never_mind
    ),
    "a flag alone": Trouble(typed="token --shell fish", pasted="token --env --shell fish"),
    "a senseless time limit": Trouble(typed="login --timeout 0", pasted="login --timeout 300", leads_out=logs_in),
    "no terminal": Trouble(typed="login --paste", pasted="login --paste", leads_out=asks_for_the_address),
    "no program": Trouble(
        typed="run",
        pasted="run -- COMMAND …",
        leads_out=lambda desk, words: works(desk, [*words[: words.index("--") + 1], "true"]),
    ),
    "no name of a program": Trouble(typed="run --as -- true", pasted="run --as"),
    "no rejected token": Trouble(
        typed="token --rejected-stdin",
        pasted="token --rejected-stdin",
        leads_out=renews,
    ),
    "no such action": Trouble(typed="api measure get-meas", pasted="api measure getmeas meastype=1"),
    "an app and no login": Trouble(
        typed="import -", stdin='{"client_secret": "x"}', pasted="configure", leads_out=asks_for_the_secret
    ),
    "nothing to remove": Trouble(typed="import --remove -", pasted="import -", leads_out=imports),
    "named by the variable": Trouble(
        happened=lambda desk: record(desk).write_text("not JSON"),
        env="mum",
        typed="token",
        pasted="logout",
        leads_out=removes,
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
def test_a_hint_leads_out_of_it(family: Desk, trouble: Trouble) -> None:
    """The command that a hint names is about mum's profile and does what is needed; default's login stays."""
    trouble.happened(family)
    command, *words = shlex.split(trouble.typed)
    flags = MUM if trouble.env is None else ()
    env = {**family.env, "WITHINGS_AUTH_PROFILE": trouble.env}
    troubled = family.cli(command, *flags, *words, stdin=trouble.stdin, env=env)
    leads_out_of(family, troubled, trouble.pasted, trouble.leads_out)


def leads_out_of(desk: Desk, troubled: Finished, pasted: str, leads_out: Callable[[Desk, list[str]], None]) -> None:
    """Finds the command in what the troubled one printed, pastes it, and sees it lead out."""
    named = commands_in(f"{troubled.stdout}\n{troubled.stderr}\n{troubled.screen}")
    command, *rest = shlex.split(pasted)
    assert [command, *MUM, *rest] in named, named
    leads_out(desk, [command, *MUM, *rest])


def test_a_listed_profile_is_named(family: Desk) -> None:
    """`list` takes no profile, but each of its hints is about one."""
    record(family).write_text("not JSON")
    leads_out_of(family, family.run("list"), "logout", removes)


def test_no_is_an_answer(family: Desk) -> None:
    """The question of a revocation was answered with no."""
    program = family.cli.on_terminal("logout", "--revoke", *MUM, env=family.env)
    program.screen.expect(re.escape("Continue? [y/N] "))
    program.type("n\n")
    finished = program.wait()
    leads_out_of(family, finished, "logout", removes)
    assert ["logout", *MUM, "--revoke", "--yes"] in commands_in(finished.screen.replace("\n", ""))


def test_somebody_has_a_profile_already(family: Desk) -> None:
    """Whose other profile must be logged out first is named, not the one that was asked for."""
    pending = family.start("--profile", "dad", **app(family))
    pending.allow(person=2)
    leads_out_of(family, pending.wait(), "logout", removes)


def test_the_default_profile_is_named_if_another_one_is_usual(family: Desk) -> None:
    """A pasted command would take the variable's."""
    finished = family.run("token", "--profile", "default", "--wait", "-1", WITHINGS_AUTH_PROFILE="mum")
    assert commands_in(finished.stderr) == [["token", "--profile", "default", "--wait", "300"]]


def test_a_trial_leads_to_another_trial(family: Desk) -> None:
    """The sandbox's profile has no other login."""
    finished = family.run("login", "--sandbox", "--no-browser", "--timeout", "0.1")
    assert finished.returncode == 1
    assert ["login", "--sandbox"] in commands_in(finished.stderr), finished.stderr
    assert f"--profile {PRACTICE_PROFILE}" not in finished.stderr


@pytest.mark.parametrize(
    ("profile", "usual", "flag"),
    [("mum", "", " --profile mum"), ("default", "", ""), ("default", "mum", " --profile default")],
)
def test_a_program_gets_the_same_hints(
    family: Desk, monkeypatch: pytest.MonkeyPatch, profile: str, usual: str, flag: str
) -> None:
    """The profile that the program asked for, unless it is the one that commands take by themselves."""
    monkeypatch.setenv("WITHINGS_AUTH_STORE", f"file:{family.directory}")
    monkeypatch.setenv("WITHINGS_AUTH_PROFILE", usual)
    before = record(family, profile).read_text()
    record(family, profile).write_text("not JSON")
    with pytest.raises(StoreCorrupt) as caught:
        TokenSource(profile).token()
    assert caught.value.hint.endswith(
        f": withings-auth login{flag} --replace; to remove it: withings-auth logout{flag}"
    )
    assert isinstance(caught.value.__cause__, WithingsAuthError) is bool(flag)
    record(family, profile).write_text(before)

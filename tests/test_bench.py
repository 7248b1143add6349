"""`make bench` shows every cost beside its references and budgets, and fails if one is exceeded."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.__main__ import costs, main, verdict
from tests.bench.budgets import BUDGETS, QUICK
from tests.bench.desk import FILES, Desk, python
from tests.bench.first_login import PEERS, PINS, WaitForBrowser, first_logins
from tests.bench.programs import at_once, crowds
from tests.bench.table import heading, lines, markdown, put_into, versions
from tests.bench.timing import Cost, Failed, Measured, Skipped, measure, time_program
from tests.support.readme import README, rows, section

pytestmark = pytest.mark.usefixtures("unmeasured")

# The rest takes longer, in programs that other tests run, too.
CHEAP = ("withings-auth token, files", "a renewal, TokenSource", "a token from memory", "memory")
TOKEN = "withings-auth token, Secret Service"


@pytest.fixture
def desk(home: Path) -> Iterator[Desk]:
    """A place to measure on, which leaves the environment as it was."""
    with contextlib.ExitStack() as running:
        yield Desk(home / "desk", running)


def found(ratio: float) -> Measured:
    return Measured(what=TOKEN, amount=0.0351, ratios=dict.fromkeys(BUDGETS[TOKEN], ratio))


def test_everything_with_a_budget_is_measured(desk: Desk) -> None:
    """In the order of the table, beside each of its references; what costs little is measured here, once."""
    everything = list(costs(desk, QUICK))
    assert sorted(one.what for one in everything) == sorted(BUDGETS)
    if not desk.why_no_keyring and not desk.why_no_database:
        assert [one.what for one in everything] == list(BUDGETS)
    for one in everything:
        if isinstance(one, Cost):
            assert list(one.references) == list(BUDGETS[one.what])
            if one.what.startswith(CHEAP):
                measured = measure(one)
                assert isinstance(measured, Measured), measured
                assert measured.amount > 0
                assert all(ratio > 0 for ratio in measured.ratios.values())


def test_the_least_of_several_rounds_counts() -> None:
    """Of the cost and of each reference by itself."""
    times, others = iter([3.0, 2.0, 5.0]), iter([9.0, 8.0, 4.0])
    cost = Cost(what=TOKEN, run=lambda: next(times), references={"keyring get": lambda: next(others)}, rounds=3)
    assert measure(cost) == Measured(what=TOKEN, amount=2.0, ratios={"keyring get": 0.5})


def test_a_program_that_fails_is_not_measured(desk: Desk) -> None:
    """Neither alone nor in a crowd, where everybody must get the same token."""
    for run, why in (
        (time_program(python("raise SystemExit(3)")), "exit status 3"),
        (
            at_once(desk, desk.shelf(FILES, "empty"), 1, expired=False),
            "1 of 1 programs failed, 0 tokens; withings-auth: ",
        ),
    ):
        failed = measure(Cost(what=TOKEN, run=run, references={}, rounds=1))
        assert isinstance(failed, Failed)
        assert why in failed.why
        assert " FAILED " in "".join(lines(failed, leeway=1))
        assert verdict([failed], 1, {}) == 1


def test_a_crowd_renews_once(desk: Desk) -> None:
    """What is measured is the time for each of them; whoever renews more than once is told."""
    _, expired = crowds(desk, QUICK, FILES)
    assert 0 < expired.run() < 60
    assert desk.sandbox.counters.refreshes == 1


def test_each_reference_has_a_line() -> None:
    """With its budget, and whether that is exceeded; what is skipped has its reason."""
    assert heading().split() == ["what", "takes", "times", "budget", "of"]
    shown = list(lines(found(0.4), leeway=1))
    assert len(shown) == len(BUDGETS[TOKEN])
    assert shown[0].split() == [*TOKEN.split(), "35.1", "ms", "0.40", "0.35", "EXCEEDED", "keyring", "get"]
    assert shown[1].split() == ["0.40", "0.50", "ok", "keyring's", "backend", "alone"]
    assert "EXCEEDED" not in "".join(lines(found(0.4), leeway=2))
    (skipped,) = lines(Skipped(what=TOKEN, why="this machine has no dbus-daemon"), leeway=1)
    assert skipped.split(maxsplit=5)[-2:] == ["skipped", "this machine has no dbus-daemon"]


def test_a_cost_above_its_budget_fails(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code says so. No file is left behind, and the README needs everything."""
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    before, command = set(home.iterdir()), ["--quick", "--only", "AsyncTokenSource", "--leeway", "1e-9"]
    assert main([*command, "--markdown"]) == 1
    shown = capsys.readouterr().out
    assert shown.count("EXCEEDED") == 1
    assert "\n| a token from memory |  | AsyncTokenSource " in shown
    assert set(home.iterdir()) == before
    assert [verdict([found(0.4)], leeway, {}) for leeway in (1, 2)] == [1, 0]


def test_what_this_machine_lacks_is_skipped(desk: Desk, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason; in a run with CI=true nothing may be skipped."""
    monkeypatch.setattr("tests.bench.first_login.ENVIRONMENTS", home)
    desk.why_no_keyring, desk.why_no_database = "this machine has no dbus-daemon", "this machine has no postgres"
    skipped = [one for one in costs(desk, QUICK) if isinstance(one, Skipped)]
    assert {one.why for one in skipped} == {
        "google-auth-oauthlib is not installed, as `make bench` does",
        desk.why_no_keyring,
        desk.why_no_database,
    }
    assert [verdict(skipped, 1, {"CI": value}) for value in ("true", "false")] == [1, 0]


def test_a_first_login_is_measured_until_its_browser(desk: Desk, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither longer, nor until the browser of an earlier measurement."""
    for name in PEERS:
        (home / name / "bin").mkdir(parents=True)
        (home / name / "bin" / "python").touch()
    monkeypatch.setattr("tests.bench.first_login.ENVIRONMENTS", home)
    (cost,) = first_logins(desk, QUICK, FILES)
    assert isinstance(cost, Cost)
    assert 0 < cost.run() < 60
    saved = {path.parent.name for path in desk.home.glob("first-login-files/*/*.json")}
    assert saved == {"app"}
    wait = WaitForBrowser(home / "another")
    command = ["sh", "-c", 'sleep 0.2; "$BROWSER" http://localhost; sleep 60']
    assert all(wait.by(command, {}, waiting=True)() >= 0.2 for _ in range(2))


def test_the_table_of_the_readme_is_a_real_one(home: Path) -> None:
    """It names everything that is measured, with each reference and budget, the day and the versions."""
    speed = section("Speed")
    table = markdown(
        [Measured(what=what, amount=0.01, ratios=dict.fromkeys(budgets, 0.1)) for what, budgets in BUDGETS.items()],
        dt.date(2026, 11, 28),
    )
    assert [without_numbers(row) for row in rows(speed)] == [without_numbers(row) for row in rows(table)]
    (paragraph,) = re.findall(r"(?ms)^Measured on 20\d\d-\d\d-\d\d with ([^;|]*?)\.\n\n", speed)
    named = dict(entry.rsplit(" ", 1) for entry in " ".join(paragraph.split()).split(", "))
    assert named.keys() | {"GNOME Keyring"} == versions().keys() | {"GNOME Keyring"}
    readme = home / "README.md"
    readme.write_text(README, encoding="utf-8")
    put_into(readme, table)
    before, _, rest = README.partition("Measured on 20")
    assert readme.read_text(encoding="utf-8") == before + table + rest[rest.index("\n### ") :]
    with pytest.raises(SystemExit, match="has 0 tables"):
        put_into(PINS, table)


def without_numbers(row: list[str]) -> list[str]:
    """Leaves out what differs from run to run."""
    return [re.sub(r"[\d.,]+ (µs|ms|s|MB)(?=:)|[\d.,]+(?= of )", "N", cell) for cell in row]

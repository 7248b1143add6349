"""`withings-auth api --csv`: kilograms instead of JSON, and rows while the pages come."""

from __future__ import annotations

import csv
import json
import signal
from decimal import Decimal

from tests.support.logins import Desk
from withings_auth.sandbox import HOSTILE_TEXT

WEIGHTS = ("measure", "getmeas", "meastype=1", "startdate=0")
HEADER = ["date", "type", "value", "unit", "device"]
FIRST_OF_TWO = {
    "status": 0,
    "body": {
        "timezone": "Europe/Paris",
        "measuregrps": [
            {
                "date": 1_795_844_883,
                "category": 1,
                "model": "Body+",
                "measures": [{"value": 72480, "type": 1, "unit": -3}],
            }
        ],
        "more": 1,
        "offset": 1,
    },
}


def test_it_prints_what_the_json_says(desk: Desk) -> None:
    """Every weight of all pages, newest first, in kilograms."""
    desk.put_login()
    groups = json.loads(desk.run("api", *WEIGHTS, "--paginate").stdout)["measuregrps"]
    desk.sandbox.advance(11)
    finished = desk.run("api", *WEIGHTS, "--csv", "--paginate")
    header, *rows = csv.reader(finished.stdout.splitlines())
    assert (finished.returncode, finished.stderr, header) == (0, "", HEADER)
    assert [Decimal(row[2]) for row in rows] == [Decimal(group["measures"][0]["value"]) / 1000 for group in groups]
    assert len(rows) > 250
    assert {(row[1], row[3], row[4]) for row in rows} == {("weight", "kg", "Body+")}


def test_rows_are_printed_while_the_next_page_is_fetched(desk: Desk) -> None:
    """Nothing about it is on stderr if that is no terminal."""
    desk.put_login()
    desk.sandbox.fail_next("wrong_shape", where="measure", json=FIRST_OF_TWO)
    desk.sandbox.fail_next("slow", where="measure", seconds=120.0)
    program = desk.cli.start("api", *WEIGHTS, "--csv", "--paginate", env=desk.env)
    assert program.stdout.line(r"^2026-.*") == "2026-11-28 06:48:03,weight,72.48,kg,Body+"
    program.signal(signal.SIGTERM)
    finished = program.wait()
    assert (finished.returncode, finished.stderr) == (143, "withings-auth: error: terminated\n")


def test_a_terminal_shows_which_page_is_fetched(desk: Desk) -> None:
    """The line is gone before the next output."""
    desk.put_login()
    desk.sandbox.fail_next("wrong_shape", where="measure", json=FIRST_OF_TWO)
    desk.sandbox.fail_next("slow", where="measure", seconds=120.0)
    program = desk.cli.on_terminal("api", *WEIGHTS, "--csv", "--paginate", env=desk.env)
    program.screen.expect(r"Fetching page 1\.")
    program.screen.expect(r"Fetching page 2\. Entries so far: 1\.")
    desk.wait_for(lambda: desk.sandbox.counters.faults == 2)
    program.type("\x03")
    shown = program.wait().screen
    assert "\rdate,type,value,unit,device\n2026-11-28 06:48:03,weight,72.48,kg,Body+\nFetching page 2." in shown
    assert shown.endswith("\rwithings-auth: error: interrupted\n")


def test_a_user_is_told_that_there_are_more_pages(desk: Desk) -> None:
    desk.put_login()
    program = desk.cli.on_terminal("api", *WEIGHTS, "--csv", env=desk.env)
    assert program.wait().screen.endswith(",kg,Body+\nThere are more pages: --paginate fetches them all.\n")


def test_text_from_withings_is_escaped(desk: Desk) -> None:
    """Statement 35."""
    desk.put_login()
    hostile = {"status": 0, "body": {"devices": [{HOSTILE_TEXT: HOSTILE_TEXT}]}}
    desk.sandbox.fail_next("wrong_shape", where="user", json=hostile)
    printed = desk.run("api", "v2/user", "getdevice", "--csv").stdout
    assert len(printed.splitlines()) == 2
    assert all(char.isprintable() or char == "\n" for char in printed)

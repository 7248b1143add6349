"""`withings-auth doctor`: a checklist of this machine, to be pasted into a bug report."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from withings_auth.cli.options import add_profile, load_settings, open_store
from withings_auth.cli.ui.terminal import Colour, answer, answer_json, as_flags, coloured, hint_line, wait_and_tell
from withings_auth.doctor.checklist import NAMES, Checklist
from withings_auth.doctor.results import Result, Verdict

EXAMPLE = (
    "examples:\n"
    "  withings-auth doctor\n"
    "  withings-auth doctor --offline     (asks Withings nothing)\n\n"
    "The report can be pasted into a bug report: it shows no secret, only the\n"
    "beginning of each id, ~ for your home directory, and neither your user name nor\n"
    "this machine's. The record that tries out the store is removed again.\n"
    "exit code: 0 no check failed (warnings do not count), 1 a check failed"
)

_MARKS: dict[Verdict, tuple[str, Colour]] = {
    Verdict.OK: ("ok", "green"),
    Verdict.WARNING: ("warning", "yellow"),
    Verdict.FAILED: ("FAILED", "red"),
    Verdict.SKIPPED: ("skipped", "dim"),
}
_COUNT_WORDS = {Verdict.OK: "ok", Verdict.WARNING: "to look at", Verdict.FAILED: "failed", Verdict.SKIPPED: "skipped"}
_MARK_WIDTH = max(len(mark) for mark, _ in _MARKS.values())
_NAME_WIDTH = max(map(len, NAMES))


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--offline", action="store_true", help="do not ask Withings")


def execute(options: argparse.Namespace) -> int:
    """Prints a line for each check as soon as its result is known, and how many results there are of each kind."""
    checklist = Checklist(
        read_settings=lambda: load_settings(options), open_store=open_store, wait=wait_and_tell, offline=options.offline
    )
    results: list[Result] = []
    for found in checklist.run():
        result = replace(found, remedy=as_flags(found.remedy))
        results.append(result)
        if not options.json:
            answer("\n".join(_lines(result)))
    counts = Counter(result.verdict for result in results)
    if options.json:
        content = {str(verdict): counts[verdict] for verdict in Verdict}
        answer_json({"counts": content, "findings": [result.fields() for result in results]})
    else:
        numbers = [f"{counts[verdict]} {word}" for verdict, word in _COUNT_WORDS.items() if counts[verdict]]
        answer(f"\n{len(results)} checks: {', '.join(numbers)}")
    return 1 if counts[Verdict.FAILED] else 0


def _lines(result: Result) -> Iterable[str]:
    mark, colour = _MARKS[result.verdict]
    yield f"{coloured(f'{mark:<{_MARK_WIDTH}}', colour, sys.stdout)}  {result.name:<{_NAME_WIDTH}}  {result.words}"
    if result.remedy:
        yield f"{'':<{_MARK_WIDTH}}  {hint_line(result.remedy, sys.stdout)}"

"""`withings-auth doctor`: a checklist of this machine, made to be pasted into a bug report."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from withings_auth.cli.options import add_profile, open_store, settings
from withings_auth.cli.ui.colour import Colour, coloured
from withings_auth.cli.ui.terminal import answer, answer_json, as_flags, wait_and_tell
from withings_auth.doctor.checklist import NAMES, Means, examine
from withings_auth.doctor.findings import Finding, Verdict

EXAMPLE = (
    "examples:\n"
    "  withings-auth doctor\n"
    "  withings-auth doctor --offline     (asks nothing of Withings)\n\n"
    "No secret is shown; ids are shortened, your home directory is ~, your user name\n"
    "and this machine's name are left out: it can be pasted into a bug report. What\n"
    "it saves to try out the store, it removes.\n"
    "exit code: 0 nothing failed (warnings do not count), 1 a check failed"
)

_MARKS: dict[Verdict, tuple[str, Colour]] = {
    Verdict.OK: ("ok", "green"),
    Verdict.WARNING: ("warning", "yellow"),
    Verdict.FAILED: ("FAILED", "red"),
    Verdict.SKIPPED: ("skipped", "dim"),
}
_COUNTED = {Verdict.OK: "ok", Verdict.WARNING: "to look at", Verdict.FAILED: "failed", Verdict.SKIPPED: "skipped"}
_MARK_WIDTH = max(len(mark) for mark, _ in _MARKS.values())
_NAME_WIDTH = max(map(len, NAMES))


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    add_profile(parser)
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.add_argument("--offline", action="store_true", help="ask nothing of Withings")


def execute(options: argparse.Namespace) -> int:
    """Prints a line for each check as soon as it is known, and how many came out in which way."""
    means = Means(
        read_settings=lambda: settings(options),
        open_store=open_store,
        wait=wait_and_tell,
        offline=options.offline,
    )
    findings: list[Finding] = []
    for found in examine(means):
        finding = replace(found, remedy=as_flags(found.remedy))
        findings.append(finding)
        if not options.json:
            answer("\n".join(_lines(finding)))
    counted = Counter(finding.verdict for finding in findings)
    if options.json:
        counts = {str(verdict): counted[verdict] for verdict in Verdict}
        answer_json({"counts": counts, "findings": [finding.fields() for finding in findings]})
    else:
        said = [f"{counted[verdict]} {word}" for verdict, word in _COUNTED.items() if counted[verdict]]
        answer(f"\n{len(findings)} checks: {', '.join(said)}")
    return 1 if counted[Verdict.FAILED] else 0


def _lines(finding: Finding) -> Iterable[str]:
    mark, colour = _MARKS[finding.verdict]
    yield f"{coloured(f'{mark:<{_MARK_WIDTH}}', colour, sys.stdout)}  {finding.name:<{_NAME_WIDTH}}  {finding.words}"
    if finding.remedy:
        yield f"{'':<{_MARK_WIDTH}}  {coloured('hint:', 'bold', sys.stdout)} {finding.remedy}"

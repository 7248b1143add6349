"""A user who runs published programs on the shared login, and looks afterwards at what they have left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.borrow.published.programs import Published
    from tests.support.logins import Desk
    from tests.support.programs import Program

HOUR = 3600
LIFE = 3 * HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """What Withings was asked, how often."""

    calls: int = 0
    refusals: int = 0
    refreshes: int = 0
    token_requests: int = 0


class Borrower:
    """A user with a login in the store, in a home of their own, which is also the working directory."""

    def __init__(self, desk: Desk, home: Path) -> None:
        self.desk = desk
        self.home = home
        (home / "tmp").mkdir()
        self.before = desk.sandbox.counters

    def start(self, program: Published, *, stdin: bool = False) -> Program:
        """Starts a program with `run --as`."""
        for name, text in program.files.items():
            (self.home / name).write_text(text)
        environment = {**self.desk.env, **program.environment, "TMPDIR": str(self.home / "tmp")}
        return self.desk.cli.start("run", "--as", program.name, "--", *program.command, env=environment, stdin=stdin)

    def finish(self, program: Published, running: Program) -> None:
        """Waits for the program's end, and looks whether it has read what it asked for."""
        finished = running.wait()
        assert finished.returncode == 0, finished.stderr
        assert program.shows in finished.stdout + finished.stderr

    def run(self, program: Published) -> None:
        """Runs a program to its end, which must be good."""
        self.finish(program, self.start(program))

    def happened(self) -> Happened:
        """Returns what Withings was asked since the last time."""
        before, now = self.before, self.desk.sandbox.counters
        self.before = now
        return Happened(
            calls=now.data_requests - before.data_requests,
            refusals=now.refusals - before.refusals,
            refreshes=now.refreshes - before.refreshes,
            token_requests=now.token_requests - before.token_requests,
        )

    def let_time_pass(self, seconds: int) -> None:
        """Moves on Withings' clock, and makes the stored login as much older."""
        self.desk.grow_older(seconds)
        self.desk.sandbox.advance(seconds)

    def has_login(self) -> bool:
        """Whether the login is alive: a token that is asked for now, by another program, works."""
        token = self.desk.run("token").stdout.strip()
        return token in self.desk.sandbox.live_access_tokens

    def files_of_runs(self) -> list[Path]:
        """Returns what runs have left of their own directories."""
        return list((self.home / "tmp").glob("withings-auth-*"))  # `tempfile` tries a directory with other files

    def secrets_left(self) -> list[str]:
        """Returns a line for each secret of the login, and each key, in a file other than the store's records."""
        records = [self.desk.directory / "token", self.desk.directory / "app"]
        secrets = [secret.encode() for secret in self.desk.sandbox.secrets]
        texts = {
            path: path.read_bytes() for path in self.home.rglob("*") if path.is_file() and path.parent not in records
        }
        return [
            f"{path}: {secret!r}"
            for path, text in texts.items()
            for secret in [*secrets, b"PRIVATE KEY"]
            if secret in text
        ]

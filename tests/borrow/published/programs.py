"""The published programs that `run --as` is for: unmodified, each in an environment of its own (`make published`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ENVIRONMENTS = Path(__file__).parents[3] / ".venv-published"
_PINS = Path(__file__).with_name("pins.txt")

_CONFIG_INI = """
[Withings]
client_id = any
client_secret = any
redirect_uri = any
[Intervals]
icu_api_key = any
icu_athlete_id = any
[General]
withings_config = withings.json
[Fields]
weight_field = weight
"""
_SCRIPT = """
from pathlib import Path
from withingpy.models import WithingsConfig
from withingpy.withings_api_client import WithingsAPIClient
withings = WithingsAPIClient(WithingsConfig.model_validate_json(Path("withings_config.json").read_text()))
def read():
    print(len(withings.get_normalized_measures().weight), "weights", flush=True)
"""
_READ_AT_EACH_LINE = """
import sys
for line in sys.stdin:
    read()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A program, and the arguments with which it reads weights from Withings and sends nothing to anybody else.

    `name` is what `--as` calls it, `shows` is in its output if it has read what it asked for, `calls` is how many calls
    with a token that takes, `files` are its own, in the working directory.
    """

    name: str
    package: str
    program: str
    arguments: tuple[str, ...]
    shows: str
    calls: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def command(self) -> tuple[str, ...]:
        """What a user would type, with the program's whole path."""
        return (str(ENVIRONMENTS / self.package / "bin" / self.program), *self.arguments)


PROGRAMS = (
    Published(
        name="withings-sync",
        package="withings-sync",
        program="withings-sync",
        arguments=("--no-upload", "--to-json", "--output", "weights", "--fromdate", "2024-01-01"),
        shows="Writing jsonfile to weights.json",
        calls=2,
    ),
    Published(
        name="withings-mcp",
        package="withings-mcp",
        program="withings-mcp",
        arguments=("sync", "--types", "body", "--days", "7"),
        shows=" records (",
        environment={"WITHINGS_MCP_DB_PATH": "weights.db"},
    ),
    Published(
        name="withings-health-cli",
        package="withings-health-cli",
        program="withings",
        arguments=("measures", "--type", "weight", "--format", "json"),
        shows='"unit": "kg"',
    ),
    Published(
        name="withings2garmin",
        package="withings2garmin-hugoh",
        program="withings2garmin",
        arguments=("-f", "2024-01-01", "--output-json", "weights.json"),
        shows="Saved 100 measurements",
        calls=2,
    ),
    Published(  # of a time without measures, since it would ask Intervals.icu about others
        name="withings-to-intervals-icu",
        package="withings-to-intervals-icu",
        program="withings-to-intervals-icu",
        arguments=("--start", "2010-01-01", "--end", "2010-01-02"),
        shows="No Withings weight",
        environment={"INTERVALS_ICU_API_KEY": "any"},
    ),
    Published(  # the same
        name="withings2intervals",
        package="withings2intervals",
        program="withings2intervals",
        arguments=("--start", "2099-01-01"),
        shows="Sync completed successfully",
        # The log is new at each start: a program that was killed as it wrote one could not read it again.
        files={"config.ini": _CONFIG_INI, "synced_weights.json": "[]"},
    ),
    Published(
        name="withingpy",
        package="withingpy",
        program="python",
        arguments=("-c", f"{_SCRIPT}\nread()"),
        shows="100 weights",
    ),
)
MCP_SERVER = Published(name="withings-mcp", package="withings-mcp", program="withings-mcp", arguments=(), shows="")
READS_AT_EACH_LINE = Published(
    name="withingpy",
    package="withingpy",
    program="python",
    arguments=("-c", f"{_SCRIPT}{_READ_AT_EACH_LINE}"),
    shows="100 weights",
)


def are_installed() -> bool:
    """Whether `make published` has installed them, in the versions of the list."""
    stamp = ENVIRONMENTS / ".installed"
    return stamp.exists() and stamp.read_text() == _PINS.read_text()

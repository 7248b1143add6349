"""The wheel and the sdist: the same bytes wherever they are built, with what their users need and what PyPI shows."""

from __future__ import annotations

import configparser
import re
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import withings_auth
from tests.release import ROOT, build, names_in_sdist, names_in_wheel, unpack

if TYPE_CHECKING:
    from email.message import Message

INFO = f"withings_auth-{withings_auth.__version__}.dist-info"
HOME = "https://github.com/withings-auth/withings-auth"
PICTURES = "https://raw.githubusercontent.com/withings-auth/withings-auth"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the sdist of this checkout."""
    return build(ROOT, tmp_path_factory.mktemp("built"))


@pytest.fixture
def metadata(built: tuple[Path, Path]) -> Message:
    """What the wheel says about itself."""
    with zipfile.ZipFile(built[0]) as wheel:
        return message_from_bytes(wheel.read(f"{INFO}/METADATA"))


def test_the_sdist_builds_the_same_elsewhere(built: tuple[Path, Path], home: Path) -> None:
    """Another directory, year, time zone and umask change no byte of the wheel, nor of the next sdist."""
    source = unpack(built[1], home / "elsewhere")
    for path in source.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
    (source / "tests" / "__pycache__").mkdir()
    (source / "tests" / "__pycache__" / "demo.pyc").touch()
    again = build(source, home / "again", later=True)
    assert [path.name for path in again] == [path.name for path in built]
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in built]


def test_the_wheel_has_the_package_and_nothing_else(built: tuple[Path, Path]) -> None:
    """Each module, style sheet and marker of types; of the rest only the licence and what pip reads."""
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "withings_auth").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {"withings_auth/py.typed", "withings_auth/authorization/pages.css"} <= package
    about = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    assert names_in_wheel(built[0]) == package | {f"{INFO}/{name}" for name in about}


def test_the_sdist_has_what_builds_and_tests_it(built: tuple[Path, Path]) -> None:
    names = names_in_sdist(built[1])
    assert {"pyproject.toml", "Makefile", "README.md", "LICENSE", "tests/conftest.py", "tests/demo.py"} <= names
    assert {name.partition("/")[0] for name in names if "/" in name} == {"withings_auth", "tests"}


def test_the_commands_and_fixtures_are_announced(built: tuple[Path, Path]) -> None:
    """The command for the shell, and the plug-in that pytest looks for."""
    points = configparser.ConfigParser()
    with zipfile.ZipFile(built[0]) as wheel:
        points.read_string(wheel.read(f"{INFO}/entry_points.txt").decode())
    assert dict(points["console_scripts"]) == {"withings-auth": "withings_auth.__main__:run"}
    assert dict(points["pytest11"]) == {"withings_auth": "withings_auth.testing.plugin"}


def test_the_metadata_say_what_an_installer_asks(metadata: Message) -> None:
    assert metadata["Name"] == "withings-auth"
    assert metadata["Version"] == withings_auth.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"
    assert metadata["License-File"] == "LICENSE"
    assert set(metadata.get_all("Provides-Extra", [])) == {"httpx", "postgresql", "requests", "run-as"}
    assert metadata["Summary"] in (ROOT / "README.md").read_text(encoding="utf-8")
    for label, url in (line.split(", ") for line in metadata.get_all("Project-URL", [])):
        assert url.startswith(HOME), label


def test_pypi_shows_no_broken_link(metadata: Message) -> None:
    """What lies beside the README is linked where the release's tag will be; anchors stay within the page."""
    assert metadata["Description-Content-Type"] == "text/markdown"
    shown = metadata.get_payload()
    assert isinstance(shown, str)
    links = re.findall(r'\]\(([^)]*)\)|(?:src|href)="([^"]*)"', shown)
    ours = [link for pair in links for link in pair if link and not link.startswith("#")]
    assert all(link.startswith("https://") for link in ours)
    tag = f"v{withings_auth.__version__}"
    paths = [found[1] for link in ours if (found := re.match(f"(?:{HOME}/blob|{PICTURES})/{tag}/([^#]*)", link))]
    assert len(paths) > 10
    assert all((ROOT / path).is_file() for path in paths)
    assert f'<img src="{PICTURES}/{tag}/tests/pictures/first_login.svg"' in shown

"""Where the program runs, recognised by its signs: tables of environment variables and machines."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from withings_auth.authorization.environment import Environment, Machine, detect_environment, detect_machine

WSL_KERNEL = "5.15.153.1-microsoft-standard-WSL2"
SSH = {"SSH_CONNECTION": "198.51.100.4 50312 192.0.2.7 22", "LOGNAME": "alice"}
LINUX = Machine(platform="linux", kernel_release="6.1.0-generic")
DOCKER = Machine(platform="linux", kernel_release="6.1.0-generic", has_container_mark=True)
WSL = Machine(platform="linux", kernel_release=WSL_KERNEL)


@pytest.mark.parametrize(
    ("environ", "machine", "holds"),
    [
        ({}, LINUX, set()),
        ({"DISPLAY": ":0"}, LINUX, {"has_display"}),
        ({"WAYLAND_DISPLAY": "wayland-0"}, LINUX, {"has_display"}),
        ({"DISPLAY": ""}, LINUX, set()),
        ({}, Machine(platform="darwin", kernel_release="23.1.0"), {"has_display"}),
        ({}, Machine(platform="win32"), {"has_display"}),
        ({}, Machine(platform="freebsd14", kernel_release="14.0-RELEASE"), set()),
        ({"SSH_CONNECTION": "a b c d"}, LINUX, {"over_ssh"}),
        ({"SSH_CLIENT": "a b c"}, LINUX, {"over_ssh"}),
        ({"SSH_TTY": "/dev/pts/3"}, LINUX, {"over_ssh"}),
        ({"SSH_AUTH_SOCK": "/run/agent"}, LINUX, set()),
        ({"SSH_TTY": "/dev/ttys3"}, Machine(platform="darwin"), {"over_ssh", "has_display"}),
        ({}, DOCKER, {"in_container"}),
        ({"container": "podman"}, LINUX, {"in_container"}),
        ({"container": "flatpak", "DISPLAY": ":0"}, LINUX, {"has_display"}),
        ({}, WSL, {"under_wsl"}),
        ({}, Machine(platform="linux", kernel_release="4.4.0-19041-Microsoft"), {"under_wsl"}),
        ({"WSL_DISTRO_NAME": "Debian"}, LINUX, {"under_wsl"}),
        ({"WSL_INTEROP": "/run/WSL/8_interop"}, LINUX, {"under_wsl"}),
        ({"DISPLAY": ":0"}, WSL, {"under_wsl", "has_display"}),
        ({"WSL_DISTRO_NAME": "Debian"}, Machine(platform="win32"), {"has_display"}),
        (
            {},
            Machine(platform="linux", kernel_release=WSL_KERNEL, has_container_mark=True),
            {"in_container"},
        ),
    ],
)
def test_the_place_is_recognised_by_its_signs(environ: dict[str, str], machine: Machine, holds: set[str]) -> None:
    """Each sign stands for one place; a container under WSL counts as a container, not as WSL."""
    around = detect_environment(environ, machine)
    names = ("over_ssh", "in_container", "under_wsl", "has_display")
    assert {name for name in names if getattr(around, name)} == holds


@pytest.mark.parametrize(
    ("environ", "machine", "why"),
    [
        ({**SSH, "DISPLAY": "localhost:10.0"}, LINUX, "this is a session over SSH"),
        (SSH, WSL, "this is a session over SSH"),
        (SSH, DOCKER, "this is a session over SSH"),
        ({"DISPLAY": ":0"}, DOCKER, "this is a container"),
        ({}, LINUX, "there is no display"),
        ({}, WSL, ""),
        ({"DISPLAY": ":0"}, LINUX, ""),
    ],
)
def test_why_nobody_would_see_a_browser(environ: dict[str, str], machine: Machine, why: str) -> None:
    """There is one reason: the one that says most about where the user's browser is."""
    assert detect_environment(environ, machine).why_no_browser == why


@pytest.mark.parametrize(
    ("environ", "destination"),
    [
        (SSH, "alice@192.0.2.7"),
        ({**SSH, "LOGNAME": "", "USER": "bob"}, "bob@192.0.2.7"),
        ({**SSH, "LOGNAME": "alice@corp.example"}, "alice@corp.example@192.0.2.7"),
        ({**SSH, "SSH_CONNECTION": "2001:db8::4 50312 2001:db8::7 22"}, "alice@2001:db8::7"),
        ({**SSH, "SSH_CONNECTION": "198.51.100.4 50312 192.0.2.7 2222"}, "-p 2222 alice@192.0.2.7"),
        ({**SSH, "SSH_CONNECTION": "UNKNOWN 65535 UNKNOWN 65535"}, "alice@HOST"),
        ({"SSH_TTY": "/dev/pts/3"}, "USER@HOST"),
        ({**SSH, "LOGNAME": "-oProxyCommand=id"}, "USER@192.0.2.7"),
        ({**SSH, "LOGNAME": "a; id #"}, "USER@192.0.2.7"),
        ({**SSH, "LOGNAME": "a\x1b[2J"}, "USER@192.0.2.7"),
        ({**SSH, "LOGNAME": "a" * 65}, "USER@192.0.2.7"),
        ({**SSH, "SSH_CONNECTION": "a b $(id) 22"}, "alice@HOST"),
        ({**SSH, "SSH_CONNECTION": "a b fe80::1%$(id) 22"}, "alice@HOST"),
        ({**SSH, "SSH_CONNECTION": "a b 192.0.2.7 22;id"}, "alice@192.0.2.7"),
        ({**SSH, "SSH_CONNECTION": "a b 192.0.2.7"}, "alice@HOST"),
    ],
)
def test_the_way_here_is_safe_to_copy(environ: dict[str, str], destination: str) -> None:
    """Statement 35: the command goes into a shell, so it only contains harmless values of the environment."""
    assert detect_environment(environ, LINUX).ssh_destination == destination


def test_this_machine_is_detected() -> None:
    """The facts of a real machine are used unchanged."""
    machine = detect_machine()
    assert machine.platform == sys.platform
    assert machine.kernel_release == os.uname().release
    assert machine.has_container_mark == (Path("/.dockerenv").exists() or Path("/run/.containerenv").exists())
    assert isinstance(detect_environment({}, machine), Environment)

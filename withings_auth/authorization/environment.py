"""Where the program runs, in terms of whether its user can see a browser there.

A pure function of the environment variables and a few facts about the machine; nothing is started.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))  # Docker's and Podman's
# Flatpak and WSL set the variable too, and a browser can be opened from both.
_NO_CONTAINERS = {"", "flatpak", "wsl"}
# What is safe in a line that the user copies into a shell.
_LOGIN_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}"


class Machine(NamedTuple):
    """Facts about the machine: `sys.platform`, the kernel's release, whether it has the mark of a container."""

    platform: str
    kernel_release: str = ""
    has_container_mark: bool = False


class Environment(NamedTuple):
    """Where the program runs. `ssh_destination` is how to get here by ssh, with capitals for what is unknown."""

    platform: str
    over_ssh: bool
    in_container: bool
    under_wsl: bool
    has_display: bool
    ssh_destination: str

    @property
    def why_no_browser(self) -> str:
        """Why nobody would see a browser that is started here; empty if somebody would."""
        if self.over_ssh:
            return "this is a session over SSH"
        if self.in_container:
            return "this is a container"
        return "" if self.has_display or self.under_wsl else "there is no display"


def detect_machine() -> Machine:
    """Returns the facts about this machine."""
    return Machine(
        platform=sys.platform,
        kernel_release=os.uname().release if hasattr(os, "uname") else "",
        has_container_mark=any(mark.exists() for mark in _CONTAINER_MARKS),
    )


def detect_environment(environ: Mapping[str, str], machine: Machine | None = None) -> Environment:
    """Returns where a program with these environment variables runs, on the given machine or this one."""
    machine = machine or detect_machine()

    def has_any(*names: str) -> bool:
        return any(environ.get(name) for name in names)

    in_container = machine.has_container_mark or environ.get("container", "") not in _NO_CONTAINERS
    windows_kernel = "microsoft" in machine.kernel_release.lower()  # a kernel that the user built may not say so
    return Environment(
        platform=machine.platform,
        over_ssh=has_any("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"),
        in_container=in_container,
        # A container under WSL shares its kernel, but has no way to Windows.
        under_wsl=machine.platform == "linux"
        and not in_container
        and (windows_kernel or has_any("WSL_DISTRO_NAME", "WSL_INTEROP")),
        has_display=machine.platform in {"win32", "darwin"} or has_any("DISPLAY", "WAYLAND_DISPLAY"),
        ssh_destination=_ssh_destination(environ),
    )


def _ssh_destination(environ: Mapping[str, str]) -> str:
    """Returns `user@host`, after `-p PORT` if the port is not ssh's default, with nothing that is unsafe to copy."""
    name = environ.get("LOGNAME") or environ.get("USER") or ""
    user = name if re.fullmatch(_LOGIN_NAME, name) else "USER"
    host, option = "HOST", ""
    match environ.get("SSH_CONNECTION", "").split():  # the client's address and port, then the server's: ssh(1)
        case [_, _, address, port] if _is_address(address):
            host = address
            option = f"-p {port} " if re.fullmatch(r"[0-9]{1,5}", port) and port != "22" else ""
    return f"{option}{user}@{host}"


def _is_address(text: str) -> bool:
    try:
        return "%" not in text and bool(ipaddress.ip_address(text))
    except ValueError:
        return False

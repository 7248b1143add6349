"""Which program holds a port: real decoy processes, and tables from other kernels."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.logins import Desk
from tests.support.ports import free_port
from withings_auth.authorization.addresses import resolve_addresses
from withings_auth.authorization.port_owner import find_port_owner
from withings_auth.authorization.sockets import listen
from withings_auth.errors import CallbackUnavailable

LISTENER = """
import ctypes, socket, sys
ctypes.CDLL(None).prctl(15, sys.argv[3].encode(), 0, 0, 0)  # PR_SET_NAME, linux/prctl.h
with socket.create_server((sys.argv[1], int(sys.argv[2])), family=int(sys.argv[4])):
    print("listens", flush=True)
    sys.stdin.read()
"""
HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


@contextmanager
def decoy(host: str, port: int, name: str = "a-decoy") -> Iterator[int]:
    """A process of that name which listens there; gives its number."""
    family = "10" if ":" in host else "2"
    command = [sys.executable, "-c", LISTENER, host, str(port), name, family]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"listens\n"
        yield process.pid
        process.kill()


def table(proc: Path, *lines: str) -> None:
    """A system whose list of sockets is this one."""
    (proc / "net").mkdir(parents=True)
    (proc / "net" / "tcp").write_text(HEADER + "".join(f"{line}\n" for line in lines))


def process(proc: Path, number: int, name: str, *links: str) -> None:
    """A process of that system, with what its descriptors lead to."""
    (proc / str(number) / "fd").mkdir(parents=True)
    (proc / str(number) / "comm").write_text(f"{name}\n")
    for descriptor, link in enumerate(links):
        (proc / str(number) / "fd" / str(descriptor)).symlink_to(link)


def listening(port: int, inode: int, *, address: str = "0100007F", state: str = "0A") -> str:
    tail = f"00000000:0000 {state} 00000000:00000000 00:00000000 00000000 0 0 {inode} 1 0 100 0 0 10 0"
    return f"   0: {address}:{port:04X} {tail}"


@linux
@pytest.mark.parametrize(
    ("taken", "wanted"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104  the decoy's address
        ("::", "127.0.0.1"),
        ("::", "::1"),
        ("127.0.0.1", "0.0.0.0"),  # noqa: S104  the address that cannot be had
    ],
)
def test_the_process_is_found(taken: str, wanted: str) -> None:
    """Statement 4: the program in the way is named, on the same address or on all of them, in either family."""
    port = free_port()
    with decoy(taken, port) as number:
        # The clock stands still: how long a busy machine may be searched is not what is asked here.
        assert find_port_owner(wanted, port, clock=lambda: 0.0) == f"a-decoy (process {number})"
        assert find_port_owner(wanted, free_port()) is None


@linux
def test_another_address_is_not_in_the_way() -> None:
    """Statement 4: a listener on the same port of another address is not blamed."""
    port = free_port()
    with decoy("127.0.0.2", port):
        assert find_port_owner("127.0.0.1", port) is None


@linux
def test_a_login_names_who_is_in_the_way(desk: Desk) -> None:
    """Statements 4 and 35: the command says who holds the port; a name with terminal sequences is escaped."""
    with decoy("::1", desk.port, "x\x1b[2J\nhint: no") as number:
        finished = desk.run("login")
    assert finished.returncode == 1
    who = rf"x\x1b[2J\nhint: no (process {number})"
    assert f"another program listens on [::1]:{desk.port}: {who}\n" in finished.stderr


@linux
def test_a_command_line_is_never_shown(desk: Desk) -> None:
    """Statement 25: of a foreign process only the short name is read; its arguments may hold secrets."""
    with decoy("127.0.0.1", desk.port):
        said = desk.run("login").stderr
    assert "a-decoy" in said
    assert "import" not in said


@linux
def test_the_error_of_the_sockets_has_it() -> None:
    """Statement 4: a Python program finds it in the exception."""
    port = free_port()
    with decoy("127.0.0.1", port) as number, pytest.raises(CallbackUnavailable, match=rf"(?m)\(process {number}\)$"):
        listen(resolve_addresses(f"http://127.0.0.1:{port}", None))


def test_only_listeners_on_the_port_count(tmp_path: Path) -> None:
    """A connection, another port and another socket's descriptor do not count as listeners."""
    table(
        tmp_path,
        listening(8000, 7, state="01"),
        listening(8001, 8),
        listening(8000, 9),
    )
    process(tmp_path, 100, "connected", "socket:[7]")
    process(tmp_path, 1000, "child", "/dev/null", "socket:[9]")
    process(tmp_path, 200, "parent", "pipe:[9]", "socket:[9]")
    assert find_port_owner("127.0.0.1", 8000, proc=tmp_path) == "parent (process 200)"
    assert find_port_owner("::1", 8000, proc=tmp_path) is None


def test_a_process_that_ends_meanwhile_is_passed_over(tmp_path: Path) -> None:
    """What cannot be read is skipped, and a process without a name is “a program”."""
    table(tmp_path, listening(8000, 9))
    (tmp_path / "5").mkdir()
    process(tmp_path, 6, "", "socket:[9]")
    assert find_port_owner("127.0.0.1", 8000, proc=tmp_path) == "a program (process 6)"
    (tmp_path / "6" / "comm").unlink()
    assert find_port_owner("127.0.0.1", 8000, proc=tmp_path) == "a program (process 6)"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "0:",
        listening(8000, 9).replace(":1F40", ":zzzz"),
        listening(8000, 9).replace("0100007F", "01"),
        listening(8000, 9, address="0" * 99),
        listening(8000, 9).replace(" 9 ", " ../ "),
        "\x00" * 1000,
    ],
)
def test_a_table_that_makes_no_sense_says_nothing(tmp_path: Path, line: str) -> None:
    """Whatever the system shows, the search never raises."""
    table(tmp_path, line)
    process(tmp_path, 6, "somebody", "socket:[8]")
    assert find_port_owner("127.0.0.1", 8000, proc=tmp_path) is None


def test_without_linux_nothing_is_said(tmp_path: Path) -> None:
    """A missing or empty /proc is no error."""
    assert find_port_owner("127.0.0.1", 8000, proc=tmp_path / "nowhere") is None
    assert find_port_owner("127.0.0.1", 8000, proc=tmp_path) is None


def test_the_search_is_bounded(tmp_path: Path) -> None:
    """A machine with very many processes does not delay the error."""
    table(tmp_path, listening(8000, 9))
    process(tmp_path, 6, "late", "socket:[9]")
    ticks = iter([0.0, 10.0])
    assert find_port_owner("127.0.0.1", 8000, proc=tmp_path, clock=lambda: next(ticks)) is None

"""A real D-Bus session with a real GNOME keyring for a single test, without access to the user's own.

The bus has no service files, so that a request starts nothing: there is a keyring only if the test starts one, and no
window can ask for a password.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import secretstorage
from jeepney import (  # type: ignore[import-untyped]  # jeepney has no types
    DBusAddress,
    MessageType,
    new_method_call,
)
from jeepney.bus_messages import message_bus  # type: ignore[import-untyped]  # as above
from jeepney.io.blocking import open_dbus_connection  # type: ignore[import-untyped]  # as above
from secretstorage.util import format_secret, open_session

from withings_auth.store.secret_service import find_default_collection

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest
    from jeepney.io.blocking import DBusConnection

PROGRAMS = ("dbus-daemon", "gnome-keyring-daemon", "secret-tool")

# With util-linux, the daemons end with a test run that is killed.
_TIED = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()

_BUS_CONFIGURATION = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
  <limit name="max_connections_per_user">100000</limit>
</busconfig>
"""
_PASSWORD = b"the keyring's password in tests"
_SERVICE = "org.freedesktop.secrets"
_SECRETS = DBusAddress("/org/freedesktop/secrets", _SERVICE, "org.freedesktop.Secret.Service")
_INTERNALS = DBusAddress(
    "/org/freedesktop/secrets", _SERVICE, "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface"
)


class Bus:
    """A session bus; `environ` is what a program needs to find it."""

    def __init__(self) -> None:
        # not in pytest's directories: the path of a socket has at most 108 bytes
        self.directory = Path(tempfile.mkdtemp(prefix="bus-"))
        configuration = self.directory / "bus.conf"
        configuration.write_text(_BUS_CONFIGURATION.format(socket=self.directory / "bus"))
        self._daemons: list[subprocess.Popen[bytes]] = []
        with (self.directory / "bus.log").open("wb") as log:
            daemon = subprocess.Popen(
                [
                    *_TIED,
                    "dbus-daemon",
                    f"--config-file={configuration}",
                    "--nofork",
                    "--nopidfile",
                    "--print-address=1",
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | {"HOME": str(self.directory)},
                start_new_session=True,
            )
        self._daemons.append(daemon)
        assert daemon.stdout is not None
        with daemon.stdout as output:
            self.address = output.readline().decode().strip()  # written once the bus listens; empty if it ends
        if not self.address:
            self.close()
            raise AssertionError("dbus-daemon did not start")

    @property
    def environ(self) -> dict[str, str | None]:
        """The variables that make a program find this bus, and keyring the Secret Service; None removes one."""
        return {"DBUS_SESSION_BUS_ADDRESS": self.address, "PYTHON_KEYRING_BACKEND": None}

    def enter(self, patch: pytest.MonkeyPatch) -> None:
        """Let this process find the bus too, until the patch is undone."""
        for name, value in self.environ.items():
            if value is None:
                patch.delenv(name, raising=False)
            else:
                patch.setenv(name, value)

    @contextlib.contextmanager
    def connection(self) -> Iterator[DBusConnection]:
        """A connection to the bus, closed after the block."""
        with contextlib.closing(open_dbus_connection(bus=self.address)) as connection:
            yield connection

    def connections(self) -> int:
        """How many connections the bus has had, this one too."""
        with self.connection() as connection:
            return int(connection.unique_name.removeprefix(":1."))

    @contextlib.contextmanager
    def deaf_prompter(self) -> Iterator[None]:
        """Lets the keyring ask for a password that nobody enters, as when the user is away."""
        with self.connection() as connection:
            connection.send_and_get_reply(message_bus.RequestName("org.gnome.keyring.SystemPrompter"), timeout=60)
            yield

    def close(self) -> None:
        """End every daemon, even if it is stopped, and remove their files."""
        for daemon in reversed(self._daemons):
            daemon.send_signal(signal.SIGCONT)
            daemon.kill()
            daemon.wait()
        shutil.rmtree(self.directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SecretService(Bus):
    """A bus with an unlocked, empty GNOME keyring."""

    def __init__(self) -> None:
        super().__init__()
        self._home = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "XDG_DATA_HOME": str(self.directory / "data"),
            "XDG_CONFIG_HOME": str(self.directory / "config"),
            "XDG_CACHE_HOME": str(self.directory / "cache"),
            "XDG_RUNTIME_DIR": str(self.directory),
            "DBUS_SESSION_BUS_ADDRESS": self.address,
        }
        self._killed = False
        try:
            self._keyring = self._start()
        except BaseException:
            super().close()
            raise

    def _start(self) -> subprocess.Popen[bytes]:
        with (self.directory / "keyring.log").open("wb") as log:
            daemon = subprocess.Popen(
                [
                    *_TIED,
                    "gnome-keyring-daemon",
                    "--foreground",
                    "--unlock",
                    "--components=secrets",
                    f"--control-directory={self.directory / 'control'}",
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self._home,
                start_new_session=True,
            )
        self._daemons.append(daemon)
        assert daemon.stdin is not None
        with daemon.stdin as password:
            password.write(_PASSWORD)
        deadline = time.monotonic() + 60
        while not self._ready():
            if time.monotonic() > deadline or daemon.poll() is not None:
                log_text = (self.directory / "keyring.log").read_text()
                raise AssertionError(f"gnome-keyring-daemon did not start: {log_text}")
            time.sleep(0.02)
        return daemon

    def _ready(self) -> bool:
        with self.connection() as connection:
            owned = connection.send_and_get_reply(message_bus.NameHasOwner(_SERVICE), timeout=60)
            if not owned.body[0]:
                return False
            alias = connection.send_and_get_reply(new_method_call(_SECRETS, "ReadAlias", "s", ("default",)), timeout=60)
            return alias.header.message_type is MessageType.method_return and alias.body[0] != "/"

    @contextlib.contextmanager
    def collection(self) -> Iterator[secretstorage.Collection]:
        """The default collection, over a connection of its own."""
        with self.connection() as connection:
            path = find_default_collection(connection)
            assert path is not None
            yield secretstorage.Collection(connection, path)

    def lock(self) -> None:
        """Lock the collection, as a locked screen does."""
        with self.collection() as collection:
            collection.lock()
            assert collection.is_locked()

    def unlock(self) -> None:
        """Unlock it, as the user does by typing the password."""
        with self.collection() as collection:
            connection = collection.connection
            secret = format_secret(open_session(connection), _PASSWORD, "text/plain")
            call = new_method_call(
                _INTERNALS, "UnlockWithMasterPassword", "o(oayays)", (collection.collection_path, secret)
            )
            connection.send_and_get_reply(call, timeout=60)
            assert not collection.is_locked()

    def stop(self) -> None:
        """Make the daemon hang: calls reach it but are not answered."""
        self._keyring.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a stopped daemon continue: it answers the calls that came in the meantime."""
        self._keyring.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill the daemon; the bus stays, and nothing starts another daemon."""
        self._killed = True
        self._keyring.kill()
        self._keyring.wait()

    def start_again(self) -> None:
        """Kill the daemon and start another one with the same records, as an update of the desktop does."""
        self.kill()
        self._killed, self._keyring = False, self._start()

    def close(self) -> None:
        """End everything. Fails if the daemon ended by itself, which explains other failures of the test."""
        died = None if self._killed else self._keyring.poll()
        log_text = (self.directory / "keyring.log").read_text()
        super().close()
        assert died is None, f"gnome-keyring-daemon ended by itself, with {died}: {log_text}"

    def services(self) -> list[str]:
        """The services of all its records, sorted."""
        with self.collection() as collection:
            return sorted(item.get_attributes()["service"] for item in collection.get_all_items())

    def lookup(self, service: str, username: str) -> str | None:
        """What secret-tool, a program without Python, finds; None if it finds nothing or the keyring is locked."""
        found = self._secret_tool("lookup", "service", service, "username", username)
        return found.stdout.decode() if found.returncode == 0 else None

    def rewrite(self, service: str, text: str) -> None:
        """Change the text of a record in place, without adding another."""
        with self.collection() as collection:
            (item,) = collection.search_items({"service": service})
            item.set_secret(text.encode(), "text/plain")

    def store(self, service: str, username: str, text: str, *, application: str = "Python keyring library") -> None:
        """Add a record as keyring would, which replaces it later; that of another application stays beside keyring's.

        Of two records of the same second, keyring may find either.
        """
        attributes = ["service", service, "username", username, "application", application]
        self._secret_tool("store", "--label=test", *attributes, stdin=text.encode()).check_returncode()

    def _secret_tool(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["secret-tool", *arguments], input=stdin, capture_output=True, env=self._home, timeout=60, check=False
        )

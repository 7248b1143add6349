"""Where settings and the keyring's locks are on this machine; as text, too, because `pathlib` takes long to load."""

from __future__ import annotations

import os
import sys

from withings_auth.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

CONFIG_FILE = "config.toml"


def state_directory() -> Path:
    """Returns the directory of `state_place`."""
    from pathlib import Path

    return Path(state_place())


def config_directory() -> Path:
    """Returns the directory of `config_place`."""
    from pathlib import Path

    return Path(config_place())


def config_file(directory: Path | None = None) -> Path:
    """Returns where config.toml is, or would be."""
    return (config_directory() if directory is None else directory) / CONFIG_FILE


def state_place(platform: str = sys.platform) -> str:
    """Returns the directory of the keyring's locks and stamps: one place for desktop, cron and services alike.

    No XDG variable moves it, because a cron job does not have the desktop's. Raises `ConfigurationError`.
    """
    if platform == "win32":
        import platformdirs

        try:
            return platformdirs.user_data_dir("withings-auth", appauthor=False)
        except RuntimeError:
            raise _no_home() from None
    # On macOS, too, platformdirs would follow XDG_DATA_HOME.
    data = "~/Library/Application Support" if platform == "darwin" else "~/.local/state"
    place = os.path.expanduser(f"{data}/withings-auth")  # noqa: PTH111  see above
    if place.startswith("~"):
        raise _no_home()
    return place


def config_place() -> str:
    """Returns the directory of config.toml, following the platform's conventions. Raises `ConfigurationError`."""
    if sys.platform == "linux":  # as platformdirs does it, which takes longer to load than a valid token to read
        named, home = os.environ.get("XDG_CONFIG_HOME", ""), os.environ.get("HOME", "")
        if named.startswith("/"):
            return f"{named}/withings-auth"
        if not named and home.startswith("/"):
            return f"{home.rstrip('/')}/.config/withings-auth"
    import platformdirs

    try:
        return platformdirs.user_config_dir("withings-auth", appauthor=False)
    except RuntimeError:
        raise _no_home() from None


def _no_home() -> ConfigurationError:
    # As in a container with a numeric user.
    return ConfigurationError("this user has no home directory", hint="set HOME to a directory that this user owns")

"""The environment of a program behind the proxy: where that is, whom to trust, and nothing that is secret."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from withings_auth.borrow.calls import HOSTS
from withings_auth.provider.variables import PROXY_USER
from withings_auth.validation import is_placeholder

BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
# In both spellings: curl reads only the lower case of some, Python's urllib prefers it.
_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy")
_NO_PROXY_VARIABLES = ("NO_PROXY", "no_proxy")
_SECRET_VARIABLES = ("WITHINGS_CLIENT_SECRET", "WITHINGS_ACCESS_TOKEN", "WITHINGS_REFRESH_TOKEN")


def behind_proxy(environment: Mapping[str, str], *, port: int, password: str, bundle: Path) -> dict[str, str]:
    """Returns the program's environment: what it has already, the proxy's address and the certificates to trust."""
    kept = {
        name: value for name, value in environment.items() if name not in _SECRET_VARIABLES or is_placeholder(value)
    }
    proxy = f"http://{PROXY_USER}:{password}@127.0.0.1:{port}"
    exceptions = next((kept[name] for name in _NO_PROXY_VARIABLES if kept.get(name)), "")
    return {
        **kept,
        **dict.fromkeys(_PROXY_VARIABLES, proxy),
        **dict.fromkeys(_NO_PROXY_VARIABLES, _without_withings(exceptions)),
        **dict.fromkeys(BUNDLE_VARIABLES, str(bundle)),
        "NODE_USE_ENV_PROXY": "1",  # Node.js's fetch obeys the variables only if asked to, from 24 and 22.21 on
    }


def _without_withings(exceptions: str) -> str:
    """Returns the hosts that are reached without a proxy, less those that mean Withings."""
    names = [name.strip() for name in exceptions.split(",")]
    return ",".join(name for name in names if name and not any(_means(name, host) for host in HOSTS))


def _means(name: str, host: str) -> bool:
    suffix = name.lower().rpartition(":")[0] or name.lower()
    return suffix == "*" or f".{host}".endswith(f".{suffix.lstrip('*.')}")

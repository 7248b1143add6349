"""The variables that OpenSSL and proxies obey, refused by name if they cannot be obeyed.

Left alone, they hurt in disguise: with a bad SSLKEYLOGFILE `import aiohttp` fails, a missing SSL_CERT_FILE makes every
certificate look forged, and a proxy that cannot work looks like an outage of Withings.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

from withings_auth.errors import UnusableVariable
from withings_auth.validation import LOOPBACK_HOSTS, parsed_url, printable

# Those of other programs, which people expect to work here too.
_FOREIGN_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

PROXY_USER = "withings-auth"  # of the proxy of `run --as`, which is for programs that cannot ask us

# User and password, a name or an address in brackets, and a port (RFC 3986, section 3.2). aiohttp's versions differ in
# what else they take for a host.
_AUTHORITY = r"(?:.*@)?(?:\[[0-9A-Fa-f:.]+(?:%25[\w.-]+)?\]|[A-Za-z0-9._-]+)(?::\d*)?"


def refuse_unusable_variables(url: str) -> None:
    """Raises `UnusableVariable` if no request to this URL can be made as the variables demand. Reads files."""
    refuse_unusable_files()
    proxy_for(url)


def refuse_unusable_files() -> None:
    """Raises `UnusableVariable` if a file that aiohttp reads when it is loaded, or writes to, is unusable."""
    # Once it is loaded, it does not matter what becomes of them.
    if "aiohttp" not in sys.modules:
        _refuse_key_log()
        _refuse_certificates()


def proxy_for(url: str) -> str | None:
    """Returns the HTTP proxy for this URL, None if there is none. Raises `UnusableVariable` if it cannot be one.

    Passes by the proxy of `run --as`: a renewal by ourselves in such a program must reach Withings.
    """
    parts = parsed_url(url)
    host = parts.hostname or "" if parts else ""
    if parts is None or parts.scheme != "https" or host in LOOPBACK_HOSTS or not _may_have_proxy():
        return None
    import urllib.request  # here, because a browser would wait for it to load

    if urllib.request.proxy_bypass(host):
        return None
    # Not aiohttp's trust_env, which would also send the host's password from ~/.netrc.
    proxy = urllib.request.getproxies().get("https")
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    scheme = proxy.partition("://")[0].lower()
    if scheme.startswith("socks"):
        raise UnusableVariable(
            f"{proxy_variable()} names a SOCKS proxy, which withings-auth cannot use",
            hint="name an HTTP proxy there, as http://HOST:PORT, or unset it",
        )
    if scheme not in {"http", "https"} or not _is_proxy(proxy):
        raise malformed_proxy()
    return None if urlsplit(proxy).username == PROXY_USER else proxy


def _may_have_proxy() -> bool:
    """Whether a variable, or this kind of system itself, may name a proxy."""
    return sys.platform in {"darwin", "win32"} or any(name.lower() == "https_proxy" for name in os.environ)


def _is_proxy(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port, name = parts.port, (parts.hostname or "").encode("idna")
    except ValueError:
        return False
    clean = (
        url.isascii() and url.isprintable() and " " not in url and re.fullmatch(_AUTHORITY, parts.netloc) is not None
    )
    return clean and name != b"" and port != 0 and parts.path in {"", "/"} and not (parts.query or parts.fragment)


def malformed_proxy() -> UnusableVariable:
    """Returns the error for a proxy that has no valid URL. It does not repeat it, because a password may be in it."""
    return UnusableVariable(
        f"{proxy_variable()} is not the address of an HTTP proxy",
        hint="write it as http://HOST:PORT, with %XX for special characters in a user name or password, or unset it",
    )


def proxy_variable() -> str:
    """Returns the name of the variable that names the proxy."""
    names = ("https_proxy", "HTTPS_PROXY")  # the first one takes precedence
    return next((name for name in names if os.environ.get(name)), "the proxy setting of this system")


def refused_certificate() -> str:
    """Returns what to do about a certificate that is not valid. Raises `UnusableVariable` if a variable is to blame."""
    _refuse_certificates()
    if os.environ.get("SSL_CERT_FILE"):
        return "check this computer's clock, and add your network's certificate authority to the file in SSL_CERT_FILE"
    if directories := os.environ.get("SSL_CERT_DIR"):
        if not any(Path(each).is_dir() for each in directories.split(os.pathsep)):
            raise UnusableVariable(
                f"SSL_CERT_DIR names {printable(directories)}, which is no directory",
                hint="name a directory with the certificate authorities to trust, or unset it",
            )
        return (
            "check this computer's clock, and add your network's certificate authority to the directory in"
            " SSL_CERT_DIR; run “openssl rehash” on it"
        )
    for variable in filter(os.environ.get, _FOREIGN_BUNDLES):
        raise UnusableVariable(
            f"the server's certificate is not valid, and withings-auth does not read {variable}",
            hint=f"set SSL_CERT_FILE to the file that {variable} names (SSL_CERT_DIR if it is a directory)",
        )
    return (
        "check this computer's clock; if your network has its own certificate authority, set SSL_CERT_FILE to a PEM"
        " file with its certificate"
    )


def _refuse_key_log() -> None:
    path = os.environ.get("SSLKEYLOGFILE")
    if not path:
        return
    try:
        # Created if it is missing, as OpenSSL does; unlike OpenSSL, this does not wait for a pipe's other end.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
        os.close(os.open(path, flags, 0o600))
    except OSError as error:
        raise _unusable("SSLKEYLOGFILE", path, error, "name a file that you can write to") from error


def _refuse_certificates() -> None:
    path = os.environ.get("SSL_CERT_FILE")
    if not path:
        return
    import ssl

    remedy = "name a PEM file with the certificate authorities to trust"
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise OSError(0, "it is not a file")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise UnusableVariable(
            f"SSL_CERT_FILE names {printable(path)}, which holds no certificate", hint=f"{remedy}, or unset it"
        ) from error
    except OSError as error:
        raise _unusable("SSL_CERT_FILE", path, error, remedy) from error


def _unusable(variable: str, path: str, error: OSError, remedy: str) -> UnusableVariable:
    return UnusableVariable(
        f"{variable} names {printable(path)}, which cannot be opened: {error.strerror}", hint=f"{remedy}, or unset it"
    )

"""Which URL a request for Withings' API has at the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from withings_auth.model import Endpoints

if TYPE_CHECKING:
    from withings_auth.sandbox import Sandbox

API_HOST = urlsplit(Endpoints().api_url).hostname


def sandbox_url(url: str, sandbox: Sandbox) -> str:
    """Returns the sandbox's URL for one of Withings' API, and any other URL unchanged."""
    parts, own = urlsplit(url), urlsplit(sandbox.url)
    return parts._replace(scheme=own.scheme, netloc=own.netloc).geturl() if parts.hostname == API_HOST else url

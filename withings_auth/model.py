"""The values that everything else speaks in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where a Withings lives: the authorize page, and the base URL under which the API's paths lie."""

    authorize_url: str = "https://account.withings.com/oauth2_user/authorize2"
    api_url: str = "https://wbsapi.withings.net"

    @property
    def token_url(self) -> str:
        """The current token service (the old one on account.withings.com was closed)."""
        return f"{self.api_url}/v2/oauth2"

    @property
    def signature_url(self) -> str:
        """Where a nonce for signed calls is had."""
        return f"{self.api_url}/v2/signature"

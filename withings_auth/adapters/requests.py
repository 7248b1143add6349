"""The access token in requests.

```python
session = requests.Session()
session.auth = BearerAuth(TokenSource())
print(session.post("https://wbsapi.withings.net/v2/user", data={"action": "getdevice"}).json())
```

requests asks for credentials once and calls the hook for each hop of a redirect. It drops the header if the origin
changes; if not, it would replace it with credentials from `~/.netrc`, which is prevented here. A small JSON answer has
already been read when the caller gets it: with `stream=True`, everything but `raw` works.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

try:
    from requests.auth import AuthBase
    from requests.exceptions import UnrewindableBodyError
    from requests.structures import CaseInsensitiveDict
    from requests.utils import rewind_body
except ImportError as missing:
    raise ImportError("withings_auth.adapters.requests needs requests: pip install requests") from missing

from withings_auth.adapters import rules

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

    from withings_auth.model import Token
    from withings_auth.tokens.source import TokenSource


class BearerAuth(AuthBase):
    """Sends the access token with every request of a session to the API; if it is refused, renews it once.

    If Withings refuses a request because it came too soon (status 601), waits and repeats it once; `longest_wait` is
    for how many seconds at most, 0 for not at all. `wait` is what waits, for a test with a clock of its own. Every
    request asks the source, because only the token says where the API is. Raises what `TokenSource.token` raises. A
    body that can be sent only once is not repeated: the caller gets the refusal, and the next request works.
    """

    def __init__(
        self,
        source: TokenSource,
        *,
        longest_wait: float = rules.LONGEST_WAIT_SECONDS,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        rules.refuse_other_kind(source, awaited=False, adapter="BearerAuth")
        self._source = source
        self._longest_wait = longest_wait
        self._wait = wait

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """Adds the token to a request, if it goes to the API."""
        token = self._source.token()
        if _place(token, r):
            check = partial(self._check, token)
            r.register_hook("response", check)  # type: ignore[no-untyped-call]  # types-requests leaves it bare
        return r

    def _check(self, token: Token, response: Response, **sending: Any) -> Response:
        """Returns the response, or the one to the same request sent again. Called for each hop."""
        attempts = rules.Attempts(longest_wait=self._longest_wait)
        while True:
            retry = _judge(attempts, response, token)
            if retry is None:
                return response
            again = response.request.copy()
            try:
                if retry.renews:
                    token = self._source.token(rejected=token.access_token)
                if not _rewind(again):
                    return response
                self._wait(retry.wait_seconds)
            except BaseException:
                response.close()
                raise
            if not _place(token, again):
                return response
            _ = response.content  # once it is read to its end, the connection can be reused
            response.close()
            answer: Response = response.connection.send(again, **sending)
            answer.history += [*response.history, response]
            response = answer


class _Headers(CaseInsensitiveDict[str]):
    """Headers whose Authorization can be removed and not replaced; each hop of a redirect starts with a copy."""

    def __setitem__(self, name: str, value: str) -> None:
        if name.lower() != "authorization" or name not in self:
            super().__setitem__(name, value)

    def copy(self) -> _Headers:
        return _Headers(self.items())


def _place(token: Token, request: PreparedRequest) -> bool:
    url = urlsplit(request.url or "")  # as requests itself does
    headers = CaseInsensitiveDict(request.headers)
    placed = rules.place(
        token, headers, scheme=url.scheme, host=url.hostname, port=url.port, keeps_on_upgrade="requests"
    )
    request.headers = _Headers(headers) if placed else headers
    return placed


def _judge(attempts: rules.Attempts, response: Response, token: Token) -> rules.Retry | None:
    """Judges an answer of the API. After a redirect through another origin, the request has no token."""
    if not rules.carries(token, response.request.headers):
        return None
    needed = rules.needs_reading(response.status_code, response.headers)
    return attempts.judge(response.status_code, response.headers, response.content if needed else None)


def _rewind(request: PreparedRequest) -> bool:
    """Makes the body ready to be sent again, as by rewinding a file; returns False if that is impossible."""
    body: object = request.body  # may be a file or an iterator, unlike what types-requests says
    if body is None or isinstance(body, str | bytes):
        return True
    try:
        rewind_body(request)
    except UnrewindableBodyError:
        return False
    return True

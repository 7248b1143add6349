"""For the tests of other projects: fixtures for a program that uses Withings, and the promises of a `SecretStore`.

pytest finds the fixtures by itself once withings-auth is installed; `plugin` has them:

- `withings_sandbox`: a Withings of its own for each test, with a clock that you can move forward.
- `withings_store`: a store in memory, in which somebody is logged in to the profile `default`.
- `withings_token_source`, `withings_async_token_source`: what a program gets its tokens from. They live by the
  sandbox's clock: they never sleep, and after `withings_sandbox.advance(hours=3)` their token has expired too.

Programs call `https://wbsapi.withings.net`. To send these calls to the sandbox instead:

- aiohttp: `ClientSession(connector=SandboxConnector(withings_sandbox))`, from `withings_auth.testing.aiohttp`
- httpx: `Client(transport=SandboxTransport(withings_sandbox))`, and so for an `AsyncClient`, from
  `withings_auth.testing.httpx`
- requests: `session.mount("https://wbsapi.withings.net", SandboxAdapter(withings_sandbox))`, from
  `withings_auth.testing.requests`

If your program makes its own `TokenSource()`, replace that: `monkeypatch.setattr("my_program.TokenSource", lambda:
withings_token_source)`. `log_in` logs in further people, whose tokens a `SandboxTokenSource` or an
`AsyncSandboxTokenSource` returns. With these you can also do without the fixtures, and without pytest:

```python
from withings_auth.sandbox import Sandbox
from withings_auth.store.memory_store import MemoryStore
from withings_auth.testing import SandboxTokenSource, log_in

with Sandbox() as sandbox:
    store = MemoryStore()
    log_in(sandbox, store)
    source = SandboxTokenSource(sandbox, store)
```

`withings_sandbox.fail_next("bad_gateway")` spoils the next renewal, `fail_next("status", where="measure", status=503)`
the next answer with data; `help(Sandbox)` lists what else you can make happen. After a 601 an adapter really waits,
unless you pass it the sandbox's clock: `BearerAuth(source, wait=withings_sandbox.advance)`, or for asyncio a
coroutine function that advances it.

`withings_sandbox.expire_access_token()` makes Withings refuse a token early; an adapter has it renewed at once, but not
again within a minute: `withings_sandbox.advance(minutes=1)` before you try it twice.

To test a store of your own, inherit what every `SecretStore` (in `withings_auth.store.base`) promises:

```python
import pytest
from my_package import MyStore
from withings_auth.testing import SecretStorePromises


class TestMyStore(SecretStorePromises):
    without = {"forgetful": "the database itself reports when it could not commit"}

    @pytest.fixture
    def store(self, tmp_path):
        return MyStore(tmp_path / "secrets.db")

    @pytest.fixture
    def opening(self, tmp_path):
        return f"from my_package import MyStore; store = MyStore({str(tmp_path / 'secrets.db')!r})"

    @pytest.fixture
    def unavailable(self, tmp_path):
        return MyStore(tmp_path / "no" / "such" / "directory" / "secrets.db")
```

A store that must ask another machine has three methods more, which `withings_auth.store.base` describes:
`load_with_stamp`, so that a stamp costs no second question; `clock_offset`, so that its users' clocks may differ; and
`lock_can_be_lost`, if a holder can lose its lock and live on.

Every promise is a test, and its docstring is the promise. The fixtures:

- `store`: a store that is empty at first. Always needed.
- `opening`: Python code that opens the same place in another process, under the name `store`. That process has this
  one's `sys.path`.
- `unavailable`: a store that cannot be reached: locked, gone, not allowed.
- `forgetful`: a store that accepts what is saved and does not keep it.
- `another`: a function that opens the same place again. By default it runs `opening`; override it only if no other
  process can reach the place.

If your store cannot have one of `opening`, `unavailable` and `forgetful`, give the reason in `without`: its tests are
skipped and show the reason. Without a reason they fail. A store within one process has
`without = {"opening": "it is a dictionary"}`; one that does not survive `os.fork` has `without = {"fork": "…"}`.

The promises need pytest; nothing else is loaded before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

try:
    import pytest
except ImportError:  # only the promises need it
    pass
else:
    # Before they are imported: a failed promise then shows both sides of its comparison, as in a test of your own.
    pytest.register_assert_rewrite(f"{__name__}.promises", f"{__name__}.processes")

if TYPE_CHECKING:
    from withings_auth.testing.sources import AsyncSandboxTokenSource, SandboxTokenSource, log_in
    from withings_auth.testing.suite import SecretStorePromises

__all__ = ["AsyncSandboxTokenSource", "SandboxTokenSource", "SecretStorePromises", "log_in"]

_HOMES = {
    "AsyncSandboxTokenSource": "withings_auth.testing.sources",
    "SandboxTokenSource": "withings_auth.testing.sources",
    "SecretStorePromises": "withings_auth.testing.suite",
    "log_in": "withings_auth.testing.sources",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

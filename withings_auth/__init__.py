"""Log in to Withings once; every program on the machine gets an access token that works.

```python
from withings_auth import TokenSource

source = TokenSource()
print(source.access_token())
```

Everything heavy behind this door loads on first use.
"""

# This module imports nothing: Ctrl-C while the command begins to load would print a traceback.
TYPE_CHECKING = False

__version__ = "0.1.0"

__all__ = [
    "App",
    "AsyncTokenSource",
    "Endpoints",
    "Token",
    "TokenSource",
    "__version__",
    "errors",
    "login",
    "login_sync",
    "open_store",
]

if TYPE_CHECKING:
    from withings_auth import errors
    from withings_auth.authorization.flow import login, login_sync
    from withings_auth.config.settings import open_store
    from withings_auth.model import App, Endpoints, Token
    from withings_auth.tokens.source import AsyncTokenSource, TokenSource

_HOMES = {
    "App": "withings_auth.model",
    "AsyncTokenSource": "withings_auth.tokens.source",
    "Endpoints": "withings_auth.model",
    "Token": "withings_auth.model",
    "TokenSource": "withings_auth.tokens.source",
    "login": "withings_auth.authorization.flow",
    "login_sync": "withings_auth.authorization.flow",
    "open_store": "withings_auth.config.settings",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "errors":
        return import_module("withings_auth.errors")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

"""The promises of a `SecretStore` as tests, for whoever writes a store of their own: inherit them, run pytest.

```python
import pytest
from my_package import MyStore
from withings_auth.testing import SecretStorePromises


class TestMyStore(SecretStorePromises):
    without = {"forgetful": "the database itself says when it could not commit"}

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

Each fixture says how the store is to be had; every promise is a test, and its docstring is the promise:

- `store`: a store over a place that is empty at first. Always needed.
- `opening`: Python that opens the same place in another process, under the name `store`. It goes to an interpreter of
  its own with this one's `sys.path`, so it names what can be imported, and stands in that process's arguments.
- `unavailable`: a store whose place cannot be asked: locked, gone, not allowed.
- `forgetful`: a store whose place accepts what is saved and does not keep it.
- `another`: a function that opens the same place with another object, each time it is called. It follows from
  `opening`; override it only where objects share a place that no other process can reach.

A store that cannot have one of `opening`, `unavailable` and `forgetful` says so in `without`, with the reason. The
tests that need it are then skipped and show the reason; without a word they fail. A store that lives within one
process has `without = {"opening": "it is a dictionary"}`, and one that does not outlive `os.fork`, as some libraries
do not, `without = {"fork": "…"}`.

pytest must be installed; nothing else in the package needs it.
"""

from __future__ import annotations

try:
    import pytest
except ImportError as missing:
    raise ImportError("withings_auth.testing needs pytest: pip install pytest") from missing

# Before they are imported: a failed promise then shows both sides of its comparison, as in a test of one's own.
pytest.register_assert_rewrite(f"{__name__}.keeping", f"{__name__}.holding", f"{__name__}.processes")

from withings_auth.testing.holding import HoldingPromises  # noqa: E402
from withings_auth.testing.keeping import KeepingPromises  # noqa: E402
from withings_auth.testing.processes import ProcessPromises  # noqa: E402

__all__ = ["SecretStorePromises"]


class SecretStorePromises(KeepingPromises, HoldingPromises, ProcessPromises):
    """Everything that a `SecretStore` promises; the module says what a subclass gives."""

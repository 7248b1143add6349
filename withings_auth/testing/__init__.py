"""What a `SecretStore` promises, as tests: inherit them to test a store of your own.

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

This needs pytest; nothing else in the package does.
"""

try:
    import pytest
except ImportError as missing:
    raise ImportError("withings_auth.testing needs pytest: pip install pytest") from missing

# Before they are imported: a failed promise then shows both sides of its comparison, as in a test of your own.
pytest.register_assert_rewrite(f"{__name__}.promises", f"{__name__}.processes")

from withings_auth.testing.processes import ProcessPromises  # noqa: E402
from withings_auth.testing.promises import LockPromises, TextPromises  # noqa: E402

__all__ = ["SecretStorePromises"]


class SecretStorePromises(TextPromises, LockPromises, ProcessPromises):
    """Everything that a `SecretStore` promises; the module's docstring says what a subclass must provide."""

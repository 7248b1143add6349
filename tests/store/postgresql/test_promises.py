"""A store in PostgreSQL keeps the promises of a `SecretStore`, tested by the published suite on a real server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from withings_auth.store import open_named_store
from withings_auth.store.base import SecretStore
from withings_auth.testing import SecretStorePromises

if TYPE_CHECKING:
    from tests.support.postgresql import Server

pytestmark = pytest.mark.usefixtures("unmeasured")

OPEN = "from pathlib import Path; from withings_auth.store import open_named_store; store = open_named_store"
FORGET = """
CREATE FUNCTION {schema}.forget() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.text = 'something else'; RETURN NEW; END $$;
CREATE TRIGGER forget BEFORE INSERT OR UPDATE ON {schema}.record FOR EACH ROW EXECUTE FUNCTION {schema}.forget();
"""


class TestPostgres(SecretStorePromises):
    """Statement 28: one holder at a time among threads, processes and machines, forked and killed ones too."""

    without: ClassVar = {}

    @pytest.fixture
    def name(self, postgresql: Server) -> str:
        return postgresql.new_store()

    @pytest.fixture
    def store(self, name: str, tmp_path: Path) -> SecretStore:
        return open_named_store(name, tmp_path)

    @pytest.fixture
    def opening(self, name: str, tmp_path: Path) -> str:
        return f"{OPEN}('{name}', Path('{tmp_path}'))"

    @pytest.fixture
    def unavailable(self, postgresql: Server, tmp_path: Path) -> SecretStore:
        return open_named_store(postgresql.name("sealed=off", schema="never_made"), tmp_path)

    @pytest.fixture
    def forgetful(self, postgresql: Server, name: str, tmp_path: Path) -> SecretStore:
        schema = name.partition("schema=")[2].partition("&")[0]
        postgresql.execute(FORGET.format(schema=schema))
        return open_named_store(name, tmp_path)

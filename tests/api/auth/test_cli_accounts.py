"""How the admin's token comes to be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.auth.identity import identify
from cli.accounts import ensure_admin_token
from cli.token_file import token_file
from orchestration.ports import Actor
from orchestration.store.accounts import add_sign_in_code, exchange_code
from orchestration.store.database import Database
from schemas.statuses import Role
from settings import Settings, load_settings


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url, size=2)
    yield opened
    opened.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(attach=False, data_dir=tmp_path / "data")


def holder(database: Database, token: str) -> Actor | None:
    return identify(database, bearer=token, session=None)


def test_the_admin_token_is_made_once_and_readable_by_its_owner_only(database: Database, settings: Settings) -> None:
    file = ensure_admin_token(database, settings)
    assert file == token_file(settings)
    assert file is not None
    assert file.stat().st_mode & 0o777 == 0o600
    first = file.read_text()
    assert ensure_admin_token(database, settings) == file
    assert file.read_text() == first
    assert holder(database, first.strip()) == Actor("admin", Role.ADMIN)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_lost_file_is_replaced_and_the_old_token_ends(database: Database, settings: Settings) -> None:
    file = ensure_admin_token(database, settings)
    assert file is not None
    old = file.read_text().strip()
    code = add_sign_in_code(database, old)
    assert code is not None
    session = exchange_code(database, code)
    file.unlink()
    ensure_admin_token(database, settings)
    assert holder(database, old) is None
    assert identify(database, bearer=None, session=session) is None
    assert holder(database, file.read_text().strip()) is not None


def test_a_wiped_database_takes_the_token_of_the_file(database: Database, settings: Settings) -> None:
    file = ensure_admin_token(database, settings)
    assert file is not None
    database.execute("DELETE FROM tokens")
    ensure_admin_token(database, settings)
    assert holder(database, file.read_text().strip()) is not None


def test_a_preset_token_wins(database: Database, settings: Settings) -> None:
    ensure_admin_token(database, settings)
    preset = settings.model_copy(update={"admin_token": "preset-by-automation"})
    file = ensure_admin_token(database, preset)
    assert file is not None
    assert file.read_text().strip() == "preset-by-automation"
    assert holder(database, "preset-by-automation") == Actor("admin", Role.ADMIN)


def test_a_preset_token_works_where_no_file_can_be_written(database: Database, tmp_path: Path, caplog) -> None:
    (tmp_path / "data").write_text("a file where the directory should be")
    settings = load_settings(attach=False, data_dir=tmp_path / "data", admin_token="preset-by-automation")
    assert ensure_admin_token(database, settings) is None
    assert holder(database, "preset-by-automation") is not None
    assert "preset-by-automation" not in caplog.text

import pytest

from voxbus_database import BadDatabaseUrl, parse_url
from voxbus_database.addresses import shown


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("sqlite:////data/x.db", "sqlite+aiosqlite"),
        ("sqlite+aiosqlite:///x.db", "sqlite+aiosqlite"),
        ("postgresql://u:p@h:5/d", "postgresql+asyncpg"),
        ("postgres://u:p@h/d", "postgresql+asyncpg"),
        ("postgresql+asyncpg://u:p@h/d", "postgresql+asyncpg"),
    ],
)
def test_an_address_is_taken_with_and_without_the_name_of_a_driver(given: str, driver: str) -> None:
    assert parse_url(given).drivername == driver


@pytest.mark.parametrize("given", ["", "nonsense", "mysql://u:secret@h/d", "sqlite://", "postgresql://u:secret@h"])
def test_a_wrong_address_is_refused_without_being_quoted(given: str) -> None:
    with pytest.raises(BadDatabaseUrl, match="sqlite:///") as refused:
        parse_url(given)
    assert "secret" not in str(refused.value)


def test_messages_name_the_place_and_no_password() -> None:
    said = shown(parse_url("postgresql://user:secret@db.example:5433/calls?ssl=require"))
    assert said == "PostgreSQL database calls at db.example:5433"
    assert shown(parse_url("sqlite:////data/x.db")) == "the file /data/x.db"

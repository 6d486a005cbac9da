import json
import re
import stat
from pathlib import Path

from cryptography.fernet import Fernet
from pydantic import SecretStr

from voxbus_contracts import DEFAULT_ORG
from voxbus_contracts.assistant import Assistant
from voxbus_control_api.assistant_store import AssistantStore
from voxbus_control_api.bodies import validate_assistant
from voxbus_control_api.database import SCHEMA, Database
from voxbus_control_api.first_start import address_secret, demo_assistant, ensure_demo, ensure_key
from voxbus_control_api.key_store import KeyStore
from voxbus_control_api.resource_store import ResourceStore
from voxbus_control_api.secret_box import SecretBox
from voxbus_database import open_database, sqlite_url

BOX = SecretBox([Fernet.generate_key().decode()])

DEMO = "00000000-0000-4000-8000-00000000de30"


async def org_of(keys: KeyStore, secret: str) -> str | None:
    key = await keys.by_secret(secret, 3)
    return key.org if key else None


async def test_a_key_is_made_once_and_only_its_owner_can_read_the_file(database: Database, tmp_path: Path) -> None:
    keys, path = KeyStore(database), tmp_path / "api-key"
    await ensure_key(keys, None, path, 1)
    key = path.read_text().strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert await org_of(keys, key) == DEFAULT_ORG
    await ensure_key(keys, None, path, 2)
    assert path.read_text().strip() == key
    assert await keys.count() == 1
    assert list(tmp_path.glob("api-key.*")) == []


async def test_a_key_that_was_revoked_does_not_come_back_with_a_restart(database: Database, tmp_path: Path) -> None:
    keys = KeyStore(database)
    assert await ensure_key(keys, SecretStr("vb_old"), tmp_path / "api-key", 1)
    assert await ensure_key(keys, SecretStr("vb_new"), tmp_path / "api-key", 1)
    old = await keys.by_secret("vb_old", 1)
    assert old is not None
    await keys.revoke(DEFAULT_ORG, old.id, 2)
    assert not await ensure_key(keys, SecretStr("vb_old"), tmp_path / "api-key", 3)
    assert await org_of(keys, "vb_old") is None


async def test_a_key_that_is_set_is_used_and_written_nowhere(tmp_path: Path) -> None:
    database = await open_database(sqlite_url(tmp_path / "db" / "control.db"), SCHEMA)
    keys, path = KeyStore(database), tmp_path / "api-key"
    await ensure_key(keys, SecretStr("vb_given"), path, 1)
    assert not path.exists()
    assert await org_of(keys, "vb_given") == DEFAULT_ORG
    assert b"vb_given" not in (tmp_path / "db" / "control.db").read_bytes()
    assert b"vb_given" not in (tmp_path / "db" / "control.db-wal").read_bytes()
    await database.close()


def test_the_secret_of_addresses_stays_over_restarts(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    assert address_secret(None, path) == address_secret(None, path)
    assert address_secret(SecretStr("k"), path) == address_secret(SecretStr("k"), tmp_path / "none")
    assert address_secret(SecretStr("k"), path) != address_secret(SecretStr("l"), path)


async def test_the_demo_assistant_follows_its_server_until_somebody_changes_it(database: Database) -> None:
    assistants = AssistantStore(ResourceStore(database, BOX))

    async def url() -> str:
        found = await assistants.get(DEFAULT_ORG, DEMO)
        assert found is not None
        return found.body["model"]["tools"][0]["server"]["url"]

    await ensure_demo(assistants, DEMO, "http://127.0.0.1:1/x", 1, make=True)
    await ensure_demo(assistants, DEMO, "http://127.0.0.1:2/x", 2, make=False)
    assert await url() == "http://127.0.0.1:2/x"
    found = await assistants.get(DEFAULT_ORG, DEMO)
    assert found is not None
    found.body["name"] = "Mine now"
    await assistants.put(found)
    await ensure_demo(assistants, DEMO, "http://127.0.0.1:3/x", 3, make=False)
    assert await url() == "http://127.0.0.1:2/x"


async def test_a_demo_assistant_that_was_deleted_does_not_come_back(database: Database) -> None:
    assistants = AssistantStore(ResourceStore(database, BOX))
    await ensure_demo(assistants, DEMO, "http://127.0.0.1:1/x", 1, make=False)
    assert await assistants.get(DEFAULT_ORG, DEMO) is None


def test_the_demo_assistant_is_valid_and_its_script_hears_generously() -> None:
    assistant: Assistant = validate_assistant(demo_assistant("http://127.0.0.1:8090/tools/order-status"))
    assert assistant.name == "Voxbus demo"
    assert assistant.model.script is not None
    rules = assistant.model.script.rules

    def fits(words: str) -> str:
        for rule in rules:
            if rule.when and (found := re.search(rule.when, words, re.IGNORECASE)):
                if rule.call:
                    return f"order {found.groupdict()['order']}"
                return "goodbye" if rule.end_call else "ask" if "digit by digit" in str(rule.say) else "hello"
        return "otherwise"

    assert fits("my order number is four seven one one") == "order four seven one one"
    assert fits("it's seven for won one please") == "order seven for won one"
    assert fits("47 11") == "order 47 11"
    assert fits("4711") == "order 4711"
    assert fits("five zero two seven zero") == "order five zero two seven zero"
    assert fits("where is my order") == "ask"
    assert fits("when does the package ship") == "ask"
    assert fits("one") == "otherwise"
    assert fits("okay thank you good bye") == "goodbye"
    assert fits("thanks") == "goodbye"
    assert fits("hello there") == "hello"
    assert fits("purple monkey dishwasher") == "otherwise"


def test_a_server_address_with_quotes_cannot_break_the_demo_assistant() -> None:
    assert json.loads(json.dumps(demo_assistant('http://x/"y')))["model"]["tools"][0]["server"]["url"] == 'http://x/"y'

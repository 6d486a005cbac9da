"""What `make gen` writes is what is committed."""

from typing import Any

from voxbus_cli.generate.files import differences, generated


def test_docs_schemas_and_stubs_are_those_of_the_contracts(checkout: Any) -> None:
    assert differences(checkout.root, generated(checkout.root)) == [], "run `make gen`"

"""No store answers a question that is not asked for one organisation; the few that are not say why here."""

import ast
from pathlib import Path
from typing import Any

TABLES_OF_TENANTS = "control-api"
NOT_OF_ONE_ORG = {
    ("KeyStore", "count"): "asks whether this is the first start",
    ("KeyStore", "by_secret"): "says whose a request is",
    ("OrgStore", "find"): "the operator's list of organisations",
    ("EventStore", "add"): "events name their call, which was made by an organisation",
    ("EventStore", "of_call"): "asked by CallStore for a call it has found in the organisation",
}
CARRY_THEIR_ORG = {"Resource", "StoredAssistant", "CallFacts", "Key", "Org"}


def stores(checkout: Any, trees: dict[Path, ast.Module]) -> list[ast.ClassDef]:
    """Classes that are called a store and are given the database or the resources."""
    service = next(each for each in checkout.services if each.name == TABLES_OF_TENANTS)
    return [
        node
        for path in service.sources()
        for node in ast.walk(trees[path])
        if isinstance(node, ast.ClassDef) and node.name.endswith("Store")
    ]


def names_an_org(method: ast.AsyncFunctionDef) -> bool:
    """Its first argument is `org`, or something that belongs to one."""
    arguments = [each for each in method.args.args if each.arg != "self"]
    if any(each.arg == "org" for each in arguments):
        return True
    annotations = {ast.unparse(each.annotation) for each in arguments if each.annotation}
    return bool(annotations & CARRY_THEIR_ORG)


def test_every_question_to_a_store_names_its_organisation(checkout: Any, trees: dict[Path, ast.Module]) -> None:
    found = stores(checkout, trees)
    assert {"ResourceStore", "CallStore", "KeyStore", "OrgStore"} <= {each.name for each in found}
    offenders = [
        f"{store.name}.{method.name}"
        for store in found
        for method in store.body
        if isinstance(method, ast.AsyncFunctionDef) and not method.name.startswith("_")
        if (store.name, method.name) not in NOT_OF_ONE_ORG and not names_an_org(method)
    ]
    assert not offenders, "\n".join(offenders)


def test_the_exceptions_exist(checkout: Any, trees: dict[Path, ast.Module]) -> None:
    there = {
        (store.name, method.name)
        for store in stores(checkout, trees)
        for method in store.body
        if isinstance(method, ast.AsyncFunctionDef)
    }
    assert set(NOT_OF_ONE_ORG) - there == set()

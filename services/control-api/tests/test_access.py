from urllib.parse import parse_qs, urlsplit

from voxbus_contracts import CallRef
from voxbus_control_api.access import Addresses, new_key, sha256_hex

REF = CallRef("acme", "11111111-1111-4111-8111-1111111111ab")
OTHER = CallRef("acme", "22222222-2222-4222-8222-2222222222cd")
ADDRESSES = Addresses(b"secret", "ws://media:1/", "http://api:2")


def test_the_transport_address_carries_call_token_and_organisation() -> None:
    parts = urlsplit(ADDRESSES.transport_url(REF))
    assert (parts.scheme, parts.netloc, parts.path) == ("ws", "media:1", f"/{REF.call}/transport")
    query = parse_qs(parts.query)
    assert query["org"] == ["acme"]
    assert sha256_hex(query["token"][0]) == sha256_hex(ADDRESSES.transport_token(REF))


def test_a_token_opens_its_own_call_and_purpose_only() -> None:
    token = parse_qs(urlsplit(ADDRESSES.control_url(REF)).query)["token"][0]
    assert ADDRESSES.may_control(REF, token)
    assert not ADDRESSES.may_control(OTHER, token)
    assert not ADDRESSES.may_control(REF, ADDRESSES.transport_token(REF))
    assert not Addresses(b"other", "ws://media:1", "http://api:2").may_control(REF, token)
    assert not ADDRESSES.may_control(REF, "tökén")


def test_keys_are_long_and_never_the_same() -> None:
    keys = {new_key() for _ in range(50)}
    assert len(keys) == 50
    assert all(len(key) > 40 for key in keys)

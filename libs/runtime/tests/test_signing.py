"""How a server knows that a message is ours."""

import base64
import hashlib
import hmac
from typing import Any

import pytest

from voxbus_runtime.signing import CannotSign, Signed, bearer_header, hmac_headers, secret_header

SIGNED = Signed("https://shop.example/hook", b'{"message":{"type":"hang"}}', "call.5.0", 1_700_000_000_123)


def hexed(text: bytes, key: bytes = b"hush", algorithm: str = "sha256") -> str:
    return hmac.new(key, text, algorithm).hexdigest()


def plan(**fields: Any) -> dict[str, Any]:
    return {"type": "hmac", "secretKey": "hush", "algorithm": "sha256", **fields}


def test_by_default_time_and_body_are_signed_in_hex() -> None:
    assert hmac_headers(plan(), SIGNED) == {
        "x-signature": hexed(b"1700000000123." + SIGNED.body),
        "x-timestamp": "1700000000123",
    }


def test_the_plan_names_headers_prefix_encoding_and_format() -> None:
    headers = hmac_headers(
        plan(
            algorithm="sha512",
            signatureHeader="Webhook-Signature",
            timestampHeader="Webhook-Time",
            messageIdHeader="Webhook-Id",
            signaturePrefix="v1,",
            signatureEncoding="base64",
            payloadFormat="{svix-id}.{timestamp}.{method}.{url}.{body}",
        ),
        SIGNED,
    )
    text = b"call.5.0.1700000000123.POST.https://shop.example/hook." + SIGNED.body
    expected = base64.b64encode(hmac.new(b"hush", text, hashlib.sha512).digest()).decode()
    assert headers == {
        "webhook-signature": f"v1,{expected}",
        "webhook-time": "1700000000123",
        "webhook-id": "call.5.0",
    }


def test_without_a_timestamp_the_body_alone_is_signed() -> None:
    assert hmac_headers(plan(includeTimestamp=False), SIGNED) == {"x-signature": hexed(SIGNED.body)}


def test_what_stands_in_the_body_is_no_placeholder() -> None:
    signed = Signed("https://shop.example", b"{timestamp}", "id", 5)
    assert hmac_headers(plan(), signed)["x-signature"] == hexed(b"5.{timestamp}")


def test_a_secret_may_be_base64() -> None:
    secret = base64.b64encode(b"raw bytes").decode()
    headers = hmac_headers(plan(secretKey=secret, secretIsBase64=True, includeTimestamp=False), SIGNED)
    assert headers["x-signature"] == hexed(SIGNED.body, b"raw bytes")
    with pytest.raises(CannotSign, match="secretKey"):
        hmac_headers(plan(secretKey="no base64 at all!", secretIsBase64=True), SIGNED)


def test_an_unknown_algorithm_is_named_and_not_guessed() -> None:
    with pytest.raises(CannotSign, match="algorithm"):
        hmac_headers(plan(algorithm="md5"), SIGNED)


def test_a_bearer_token_goes_where_the_plan_says() -> None:
    assert bearer_header({"token": "t"}) == {"authorization": "Bearer t"}
    assert bearer_header({"token": "t", "headerName": "X-Key", "bearerPrefixEnabled": False}) == {"x-key": "t"}


def test_a_legacy_secret_is_sent_as_it_is_and_none_is_sent_without_one() -> None:
    assert secret_header("hush") == {"x-vapi-secret": "hush"}
    assert secret_header(None) == secret_header("") == {}

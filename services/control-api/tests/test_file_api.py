"""Uploaded files and the knowledge bases that hold them, over HTTP."""

from typing import Any

import pytest

from voxbus_control_api.errors import BadRequest
from voxbus_control_api.uploads import Upload, ending_of, file_body, is_text

MENU = b"Espresso 3.50\nCappuccino 4.80\n"


async def upload(server: Any, name: str = "Menu.TXT", content: bytes = MENU, **more: Any) -> dict[str, Any]:
    response = await server.client.post("/file", files={"file": (name, content, "text/plain")}, data=more)
    assert response.status_code == 201, response.text
    return response.json()


async def test_an_uploaded_file_can_be_fetched_by_its_url_without_a_key(server: Any) -> None:
    file = await upload(server, purpose="assistant", metadata='{"a": 1}')
    assert (file["object"], file["status"], file["bytes"], file["mimetype"]) == (
        "file",
        "done",
        len(MENU),
        "text/plain",
    )
    assert (file["name"], file["originalName"], file["purpose"]) == ("Menu.TXT", "Menu.TXT", "assistant")
    assert file["metadata"] == {"a": 1}
    assert file["key"] == f"{server.org}/files/{file['id']}.txt"
    fetched = await server.client.get(file["url"], headers={"authorization": ""})
    assert fetched.content == MENU
    assert (await server.client.get(f"/file/{file['id']}")).json()["id"] == file["id"]


async def test_files_are_listed_by_purpose_renamed_and_deleted_with_their_bytes(server: Any) -> None:
    first = await upload(server, purpose="knowledge-base-v2")
    older = await server.client.post("/file/upload", files={"file": ("b.bin", b"\x00\x01")})
    assert older.status_code == 201
    listed = (await server.client.get("/file?purpose=knowledge-base-v2")).json()
    assert [each["id"] for each in listed] == [first["id"]]
    assert len((await server.client.get("/file")).json()) == 2
    assert (await server.client.get("/file?purpose=fun")).status_code == 400
    renamed = await server.client.patch(f"/file/{first['id']}", json={"name": "Card"})
    assert (renamed.json()["name"], renamed.json()["originalName"]) == ("Card", "Menu.TXT")
    assert (await server.client.patch(f"/file/{first['id']}", json={"name": ""})).status_code == 400
    deleted = await server.client.delete(f"/file/{first['id']}")
    assert deleted.json()["id"] == first["id"]
    assert (await server.client.get(deleted.json()["url"])).status_code == 404
    assert (await server.client.get(f"/file/{first['id']}")).status_code == 404


async def test_nobody_reaches_anothers_file(server: Any) -> None:
    file = await upload(server)
    base = (await server.client.post("/v2/knowledge-base", json={"name": "k"}, headers=server.theirs)).json()
    for method in ("GET", "PATCH", "DELETE"):
        answer = await server.client.request(method, f"/file/{file['id']}", json={"name": "x"}, headers=server.theirs)
        assert answer.status_code == 404
    attached = await server.client.post(
        f"/v2/knowledge-base/{base['id']}/file", json={"fileId": file["id"]}, headers=server.theirs
    )
    assert attached.status_code == 400
    assert (await server.client.get("/file", headers=server.theirs)).json() == []


async def test_what_is_no_form_with_a_file_is_refused(server: Any) -> None:
    for sent in (
        {"json": {"file": "x"}},
        {"data": {"file": "only text"}},
        {"content": b"--x\r\nbroken", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"content": b"", "headers": {"content-type": "multipart/form-data"}},
        {"files": {"other": ("a.txt", b"a")}},
    ):
        response = await server.client.post("/file", **sent)
        assert response.status_code == 400, sent
        assert response.json()["error"] == "Bad Request"
    without_key = await server.client.post("/file", files={"file": ("a", b"a")}, headers={"authorization": "Bearer x"})
    assert without_key.status_code == 401


async def test_a_file_that_is_too_long_is_refused_and_not_kept(server: Any) -> None:
    for size in (100_001, 500_000):
        response = await server.client.post("/file", files={"file": ("a.txt", b"x" * size)})
        assert response.status_code == 413, size
    assert (await server.client.get("/file")).json() == []
    assert await server.objects.list("") == []


async def test_a_knowledge_base_holds_files_and_lets_them_go(server: Any) -> None:
    base = (await server.client.post("/v2/knowledge-base", json={"name": "k"})).json()
    assert base["files"] == []
    text, picture = await upload(server), await upload(server, "p.png", b"\x89PNG\xff")
    path = f"/v2/knowledge-base/{base['id']}/file"
    first = await server.client.post(path, json={"fileId": text["id"]})
    assert first.status_code == 201, first.text
    assert (first.json()["status"], first.json()["fileName"]) == ("ready", "Menu.TXT")
    assert (await server.client.post(path, json={"fileId": text["id"]})).status_code == 409
    assert (await server.client.post(path, json={"fileId": picture["id"]})).json()["status"] == "failed"
    assert (await server.client.post(path, json={"fileId": "nobody"})).status_code == 400
    assert (await server.client.post(path, json={})).json()["message"] == ["fileId is required"]
    retried = await server.client.post(f"{path}/{picture['id']}/retry")
    assert retried.json()["status"] == "failed"
    whole = (await server.client.get(f"/v2/knowledge-base/{base['id']}")).json()
    assert [each["fileId"] for each in whole["files"]] == [text["id"], picture["id"]]
    assert (await server.client.get(path)).json() == whole["files"]
    assert "files" not in (await server.client.get("/v2/knowledge-base")).json()[0]
    patched = await server.client.patch(f"/v2/knowledge-base/{base['id']}", json={"name": "new", "files": []})
    assert len(patched.json()["files"]) == 2
    detached = await server.client.delete(f"{path}/{text['id']}")
    assert detached.json()["fileId"] == text["id"]
    assert (await server.client.delete(f"{path}/{text['id']}")).status_code == 404
    assert (await server.client.get(f"/file/{text['id']}")).status_code == 200


def test_an_upload_is_described_and_its_wrong_fields_are_named() -> None:
    assert [ending_of(name) for name in ("a.PDF", "a", "a.", "a.tar.gz", "a.b c", ".env")] == [
        "pdf", "", "", "gz", "", "env",
    ]  # fmt: skip
    assert is_text("application/json; charset=utf-8", b"{}")
    assert not is_text("text/plain", b"\xff")
    assert not is_text("image/png", b"x")
    with pytest.raises(BadRequest) as refused:
        file_body(Upload("a\0", "text/plain", b"", purpose="fun", metadata="[1]"), "key")
    assert [problem.split(" ")[0] for problem in refused.value.problems] == ["purpose", "metadata", "file"]

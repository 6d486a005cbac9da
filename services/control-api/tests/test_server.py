"""How connections to the API are kept."""

from fastapi import FastAPI

from voxbus_control_api.http.server import ApiServer, bound_socket

LONGEST_OF_CLIENTS_S = 90
"""Go's; httpx keeps an idle connection for 5 s, undici for 4 s."""


def test_the_server_is_never_the_first_to_end_an_idle_connection() -> None:
    with bound_socket("127.0.0.1", 0) as bound:
        assert ApiServer(FastAPI(), bound).config.timeout_keep_alive > LONGEST_OF_CLIENTS_S

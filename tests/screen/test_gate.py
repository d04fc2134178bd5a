"""Where those are sent who may not pass."""

import pytest
from starlette.requests import Request

from releve.screen.gate import peer_of, to_sign_in


def request(method: str, path: str, query: str = "") -> Request:
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": []}
    return Request(scope | {"server": ("node.example", 80), "scheme": "http"})


@pytest.mark.parametrize(
    ("method", "path", "query", "location"),
    [
        ("GET", "/", "", "/login"),
        ("GET", "/board", "", "/login?next=/board"),
        ("GET", "/search", "q=a&b", "/login?next=/search%3Fq%3Da%26b"),
        ("POST", "/patient/x/note", "", "/login"),
    ],
)
def test_sign_in_brings_back_to_a_page_and_never_to_what_a_form_is_sent_to(
    method: str, path: str, query: str, location: str
) -> None:
    assert to_sign_in(request(method, path, query)).headers["location"] == location


def test_a_request_without_an_address_is_nobodys() -> None:
    assert peer_of(request("GET", "/")) == ""

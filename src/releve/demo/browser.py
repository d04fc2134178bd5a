"""A browser without a screen: follows links, fills in the forms that a page really has, keeps cookies."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx

#: What a person at a bedside waits before calling it broken.
PATIENCE_S = 5.0


@dataclass
class Form:
    """A form as it stands on a page: where it goes and what it holds before anybody types."""

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self._open: Form | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "form":
            self._open = Form(values.get("action", ""), values.get("method", "get").lower())
            self.forms.append(self._open)
        elif self._open is not None and values.get("name"):
            self._take(tag, values)
        elif self._open is not None and tag == "option" and self._select and "selected" in values:
            self._open.values[self._select] = values.get("value", "")

    def _take(self, tag: str, values: dict[str, str]) -> None:
        assert self._open is not None
        if tag == "select":
            self._select = values["name"]
        is_choice = values.get("type") in ("radio", "checkbox")
        is_press = tag == "button" or values.get("type") == "submit"
        if (is_choice and "checked" not in values) or is_press:
            return
        self._open.values.setdefault(values["name"], values.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = ""


@dataclass(frozen=True)
class Page:
    """A page as it came."""

    url: str
    status: int
    text: str

    @property
    def links(self) -> list[str]:
        """Every link of the page."""
        return _read(self.text).links

    def form_with(self, *names: str) -> Form | None:
        """Return the first form that has all these fields, or None."""
        return next((form for form in _read(self.text).forms if all(name in form.values for name in names)), None)


def _read(text: str) -> _Reader:
    reader = _Reader()
    reader.feed(text)
    return reader


class Browser:
    """One person's browser at one node."""

    def __init__(self, base_url: str) -> None:
        headers = {"Accept": "text/html", "Accept-Language": "fr", "Sec-Fetch-Site": "same-origin", "Origin": base_url}
        self._client = httpx.AsyncClient(base_url=base_url, headers=headers, timeout=PATIENCE_S, follow_redirects=True)

    async def open(self, path: str) -> Page:
        """Open a page.

        raises  httpx.HTTPError  nobody answers
        """
        return _page(await self._client.get(path))

    async def submit(self, page: Page, form: Form, **typed: str) -> Page:
        """Send a form with what was typed into it, and return the page where it leads.

        raises  httpx.HTTPError  nobody answers; whether it was taken is unknown
        """
        target = str(httpx.URL(page.url).join(form.action or page.url))
        return _page(await self._client.post(target, data={**form.values, **typed}))

    async def close(self) -> None:
        """Close the browser."""
        await self._client.aclose()


def _page(response: httpx.Response) -> Page:
    return Page(str(response.url), response.status_code, response.text)

"""XML as the feeds write it: from elements, without characters that XML 1.0 does not allow."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

#: XML 1.0, production 2: everything else may not even be written as a reference.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def add(parent: Element, name: str, text: str = "", **attributes: str) -> Element:
    """Add an element with a text and attributes; a trailing underscore in a name is for Python's own words."""
    element = SubElement(parent, name, {key.rstrip("_"): legal(value) for key, value in attributes.items()})
    element.text = legal(text) or None
    return element


def legal(text: str) -> str:
    """Return a text without what XML cannot hold."""
    return _ILLEGAL.sub("\ufffd", text)


def document(root: Element) -> bytes:
    """Return a document as bytes, one element a line."""
    indent(root)
    content: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"

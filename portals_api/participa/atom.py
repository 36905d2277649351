"""Atom 1.0 (RFC 4287), written from values: escaped, with ids that never change."""

import hashlib
import re
import uuid
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass

NAMESPACE = "http://www.w3.org/2005/Atom"
MEDIA_TYPE = "application/atom+xml"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened; it is never changed afterwards.

    Attributes
    ----------
    key : str
        What it is, within the city; its id comes from it.
    at : str
        RFC 3339.
    link : str
        Absolute address of its page.
    """

    key: str
    at: str
    title: str
    text: str
    link: str


@dataclass(frozen=True, slots=True)
class Feed:
    """A list of entries, the newest first.

    Attributes
    ----------
    city : str
        Who publishes; ids come from it, not from the host's name, so that a city may move.
    updated : str
        RFC 3339, of the newest entry.
    language : str
        Of titles and texts.
    """

    key: str
    city: str
    title: str
    subtitle: str
    updated: str
    language: str
    self_link: str
    page_link: str
    entries: Sequence[Entry]


def identity(city: str, key: str) -> str:
    """Return the permanent id of a feed or an entry."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"citynerve:{city}/{key}").urn


def render(feed: Feed) -> bytes:
    """Return the feed as UTF-8."""
    root = ElementTree.Element("feed", {"xmlns": NAMESPACE, "xml:lang": feed.language})
    _add(root, "id", identity(feed.city, feed.key))
    _add(root, "title", feed.title)
    _add(root, "subtitle", feed.subtitle)
    _add(root, "updated", feed.updated)
    ElementTree.SubElement(root, "link", {"rel": "self", "type": MEDIA_TYPE, "href": feed.self_link})
    ElementTree.SubElement(root, "link", {"rel": "alternate", "type": "text/html", "href": feed.page_link})
    _add(ElementTree.SubElement(root, "author"), "name", feed.city)
    _add(root, "generator", "citynerve")
    for entry in feed.entries:
        one = ElementTree.SubElement(root, "entry")
        _add(one, "id", identity(feed.city, entry.key))
        _add(one, "title", entry.title)
        _add(one, "updated", entry.at)
        _add(one, "published", entry.at)
        ElementTree.SubElement(one, "link", {"rel": "alternate", "type": "text/html", "href": entry.link})
        _add(one, "content", entry.text).set("type", "text")
    body: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return body


def etag(body: bytes) -> str:
    """Return the entity tag of an answer."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def matches(if_none_match: str | None, tag: str) -> bool:
    """Tell whether a caller has this answer already."""
    given = [one.strip().removeprefix("W/") for one in (if_none_match or "").split(",")]
    return tag in given or "*" in given


def _add(parent: ElementTree.Element, name: str, text: str) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, name)
    child.text = _NOT_XML.sub("", text)
    return child

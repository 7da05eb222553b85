"""Texts without what lets somebody in: users, passwords and signatures of the addresses in them.

Errors, logs and reasons of failures are stored and shown to people who may not have the passwords
themselves. Where an address can't be told from a password for sure, more is left out, not less.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlsplit

CUT = "…"
# Where a key or a path stands as it is: a question mark in it is a part of its name.
_NO_QUERY = frozenset(("s3", "gs", "az", "file", "chdb"))
_START = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_END = re.compile(r"[\s\"<>]|$")
_AFTER = "'.,;:)]}"
_AUTHORITY = re.compile(r"[^/?#]*")
_PLACE = re.compile(r"(?:\[[^\]]*\]|[^:]*)(?::\d*)?")
_QUERY = re.compile(r"[?#].*", re.DOTALL)
# Messages of clients quote addresses encoded once more.
_PARAMETERS = re.compile(r"(?:\?|%3F)[\w.-]+(?:=|%3D).*", re.DOTALL | re.IGNORECASE)
_NAMED = re.compile(
    r"(\b(?:X-(?:Amz|Goog)-(?:Signature|Credential|Security-Token)|sig|signature|password"
    r"|\w*token|\w*secret\w*)=)[^\s&'\"]+",
    re.IGNORECASE,
)


def shown(text: str) -> str:
    """The text, or the address, with ``…`` for users and passwords of addresses and what follows
    their question marks."""
    pieces, done = [], 0
    while start := _START.search(text, done):
        pieces.append(text[done : start.end()])
        address, done = _address(text, start.end())
        pieces.append(_shown(address, start[1].lower()))
    return _NAMED.sub(rf"\1{CUT}", "".join([*pieces, text[done:]]))


def user_and_place(address: str) -> tuple[str, str]:
    """What stands before the last ``@`` of an address without its scheme, if that is a user, and
    the rest. A password may hold any sign: ``/``, ``?``, ``#`` and ``@`` too."""
    authority = _authority(address)
    user, at, place = address.rpartition("@")
    is_user = at and (":" in authority or "@" in authority)
    return (user, place) if is_user else ("", address)


def percent_encoded(url: str) -> str:
    """A server's URL with its user and password encoded, so that it can be parsed whatever signs
    they are of. What is encoded already stays as it is; the last ``@`` ends the password."""
    scheme, separator, rest = url.partition("://")
    user, place = user_and_place(rest)
    if not (separator and user):
        return url
    encoded = ":".join(quote(unquote(part), safe="") for part in user.split(":", 1))
    return f"{scheme}://{encoded}@{place}"


def has_good_port(url: str) -> bool:
    """Whether there is no port or one that is a number: of an address without an ``@`` the password
    is taken for the port, and printed by whoever can't read it."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def presentable(error: BaseException, *secrets: str) -> BaseException | None:
    """The error as a cause to be told, or None where it, or what led to it, shows a secret."""
    link: BaseException | None = error
    while link is not None:
        text = str(link)
        if shown(text) != text or any(secret in text for secret in secrets):
            return None
        link = link.__cause__ or link.__context__
    return error


def _address(text: str, start: int) -> tuple[str, int]:
    """The address that begins there, without its scheme, and where the text goes on."""
    end = _end(text, start)
    address = text[start:end].rstrip(_AFTER)
    # A user with a password that a space or a quotation mark cuts: up to the @ of this line.
    if "@" not in address and not _PLACE.fullmatch(_authority(address)):
        line_end = text.find("\n", start)
        at = text.find("@", end, line_end if line_end >= 0 else len(text))
        address = text[start : _end(text, at)].rstrip(_AFTER) if at >= 0 else address
    return address, start + len(address)


def _end(text: str, start: int) -> int:
    found = _END.search(text, start)
    return found.start() if found else len(text)


def _authority(address: str) -> str:
    found = _AUTHORITY.match(address)
    return found[0] if found else ""


def _shown(address: str, scheme: str) -> str:
    user, place = user_and_place(address)
    if not user and not _PLACE.fullmatch(_authority(place)):
        return CUT  # a user and a password, and no host after them
    place = _PARAMETERS.sub(f"?{CUT}", place)
    if scheme not in _NO_QUERY:
        place = _QUERY.sub(lambda query: query[0][0] + CUT, place)
    return f"{CUT}@{place}" if user else place

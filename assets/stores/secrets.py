"""What must not be seen: how resources hold passwords and keys, and how addresses are shown.

A resource's plain fields are written into Dagster's database and shown on pages that ask nobody who
they are. A field declared as ``Secret`` is not: to Dagster it is a dependency on something that is
already made. Every process makes its resources from its own environment, so nothing has to travel.

    url: Secret[str] = hidden()

A module that declares one must not import ``annotations`` from ``__future__``: Dagster reads them.
"""

import re
from copy import deepcopy
from typing import Any
from urllib.parse import quote, unquote

import dagster as dg
from pydantic import Field

Secret = dg.ResourceDependency
_USER = re.compile(r"(?<=://)[^\s/@]+@")
# What signs an address, or names a session, stands behind the question mark.
_SIGNED = re.compile(r"(\bhttps?://[^\s?'\"]+)\?[^\s'\"]*[^\s'\":.,;]")


def hidden(default: Any = ...) -> Any:
    """The value of a field declared as ``Secret``: not in the resource's ``repr``."""
    if default is ...:
        return Field(repr=False)
    return Field(default_factory=lambda: deepcopy(default), repr=False)


def shown(text: str) -> str:
    """A text, or an address, with the users, passwords and signatures of its addresses left out."""
    return _SIGNED.sub(r"\1?…", _USER.sub("…@", text))


def percent_encoded(url: str) -> str:
    """A server's URL with its user and password encoded, so that it can be parsed whatever signs
    they are of. What is encoded already stays as it is; the last ``@`` ends the password."""
    scheme, separator, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    if not (separator and at):
        return url
    encoded = ":".join(quote(unquote(part), safe="") for part in user.split(":", 1))
    return f"{scheme}://{encoded}@{place}"

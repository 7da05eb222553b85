"""How resources hold what must not be seen: passwords and keys.

A resource's plain fields are written into Dagster's database and shown on pages that ask nobody who
they are. A field declared as ``Secret`` is not: to Dagster it is a dependency on something that is
already made. Every process makes its resources from its own environment, so nothing has to travel.

    url: Secret[str] = hidden()

A module that declares one must not import ``annotations`` from ``__future__``: Dagster reads them.
"""

from copy import deepcopy
from typing import Any

import dagster as dg
from pydantic import Field

Secret = dg.ResourceDependency


def hidden(default: Any = ...) -> Any:
    """The value of a field declared as ``Secret``: not in the resource's ``repr``."""
    if default is ...:
        return Field(repr=False)
    return Field(default_factory=lambda: deepcopy(default), repr=False)

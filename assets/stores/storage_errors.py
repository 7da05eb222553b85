"""What an object store's errors mean, in one line for people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ml.redaction import presentable, shown


class StorageError(OSError):
    """An object store failed in a way that may pass: connection, time-out, server error."""


@contextmanager
def explained(action: str, url: str) -> Iterator[None]:
    """Turn obstore's errors into the built-in ones, with the action and the URL in front.

    Raises:
        FileNotFoundError, PermissionError: the server said so.
        ValueError: a key that the client cannot name (an empty part, or ``.`` as a part).
        StorageError: anything else.
    """
    from obstore.exceptions import (
        BaseError,
        InvalidPathError,
        PermissionDeniedError,
        UnauthenticatedError,
    )

    place = printable(shown(url))
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"cannot {action} {place}: not found") from presentable(error)
    except (PermissionDeniedError, UnauthenticatedError) as error:
        said = f"cannot {action} {place}: {in_words(error)}"
        raise PermissionError(said) from presentable(error)
    # obstore raises both for keys that it can't name, such as those with control characters.
    except (InvalidPathError, ValueError) as error:
        said = f"cannot {action} {place}: {in_words(error)}"
        raise ValueError(said) from presentable(error)
    except BaseError as error:
        said = f"cannot {action} {place}: {in_words(error)}"
        raise StorageError(said) from presentable(error)


def in_words(error: BaseException) -> str:
    """One line without durations, bodies and request numbers, which are others each time."""
    text, first = str(error), str(error).split("\n", 1)[0]
    status = re.search(r"status code: (\d{3}[\w ]*)", first)
    code = re.search(r"<Code>([\w.]{1,60})</Code>", text)
    if status:
        said = f"the store answers {status[1].strip()}" + (f" ({code[1]})" if code else "")
        return said + (_CREDENTIALS if status[1][:3] in ("401", "403") else "")
    for theirs, ours in _WORDS.items():
        if theirs in first:
            return ours
    return printable(shown(re.sub(r"^Generic \w+ error: ", "", first)))[:300]


def printable(text: str) -> str:
    """Without control characters: keys and answers may hold a terminal's."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


_WORDS = {
    "error sending request": "no connection, or no answer in time",
    "Received redirect": "the store redirects: is the region right (aws_region)?",
    "request or response body error": "the connection broke off, or nothing more came in time",
}
_CREDENTIALS = "; check the credentials, and what they may do (KADR_STORAGE_OPTIONS)"

"""What must not be seen: the user, password, token and query of an address, wherever it is mentioned.

Addresses are cleaned by their form. What the environment holds of secrets is taken out by value too, since an exception
of urllib3 or SQLAlchemy shows the pieces of an address that it could not make out.
"""

import base64
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import quote, unquote_plus

HIDDEN = "***"
FILES = ("sqlite", "file")  # what stands behind them is a path, with whatever signs
SHORTEST, SHORTEST_VALUE = 3, 6  # characters of what is looked for by value; shorter secrets are found by form alone

BETWEEN = re.compile(r"([\s'\"<>`]+)")  # what ends an address in a text
WORDS = r"passw(?:or)?d|passphrase|_pwd|token|secret|credentials?|(?:api|access|account|private)[_-]?key|signature"
ASSIGNED = re.compile(rf"(?i)((?:{WORDS})(?:=|['\"]\s*:\s*))['\"]?[^\s&'\"<>,;)]+")
HEADER = re.compile(r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?\w+\s+|\bbearer\s+(?=\S{16}))[^\s'\"<>,)]+")
SECRET_VARIABLE = re.compile(rf"(?i)(?:{WORDS}|connection_string|tracking_username)$")


def cleaned(text: str) -> str:
    """The text with `***` in place of every secret; what is no secret of an address stays as it is."""
    if by_value := _pattern(tuple(_variables())):
        text = by_value.sub(HIDDEN, text)
    if "://" in text:
        text = "".join(_cleaned_address(word) if "://" in word else word for word in BETWEEN.split(text))
    text = ASSIGNED.sub(rf"\1{HIDDEN}", text)
    return HEADER.sub(rf"\1{HIDDEN}", text)


def _cleaned_address(address: str) -> str:
    scheme, _, rest = address.partition("://")
    if scheme.lower().endswith(FILES):
        return address
    if scheme.lower().endswith(("databricks", "databricks-uc")):
        return f"{scheme}://{HIDDEN}"
    _, at, rest = rest.rpartition("@")  # the last one ends the password, which may hold others
    rest, query, _ = re.sub("#", "?", rest, count=1).partition("?")
    return f"{scheme}://{HIDDEN * bool(at)}{at}{rest}{query}{HIDDEN * bool(query)}"


def _variables() -> Iterator[tuple[str, str]]:
    """Those of the environment that hold an address, or a secret by their name."""
    for name, value in os.environ.items():
        if "://" in value or SECRET_VARIABLE.search(name):
            yield name, value


@lru_cache(maxsize=8)
def _pattern(variables: tuple[tuple[str, str], ...]) -> re.Pattern[str] | None:
    """Finds the secrets in these variables, however they are encoded."""
    found: set[str] = set()
    users: set[str] = set()
    for name, value in variables:
        if "://" in value:
            of_address, user = _secrets_of(value)
            found |= of_address
            users |= user
        elif len(value) >= SHORTEST_VALUE or "MLFLOW" in name:
            found.add(value)
    encoded = {code(secret) for secret in found for code in (str, unquote_plus, quote, _quote_all, _basic)}
    alternatives = [re.escape(secret) for secret in sorted(encoded, key=len, reverse=True) if len(secret) >= SHORTEST]
    # A user's name may be a common word: it is looked for as a word of its own.
    alternatives += [rf"(?<!\w){re.escape(user)}(?!\w)" for user in sorted(users) if len(user) >= SHORTEST]
    return re.compile("|".join(alternatives)) if alternatives else None


def _secrets_of(address: str) -> tuple[set[str], set[str]]:
    """The secrets of an address and their pieces, as who takes a sign of a password for one of the address sees them;
    and the user beside a password."""
    scheme, _, rest = address.partition("://")
    found: set[str] = set()
    users: set[str] = set()
    if scheme.lower().endswith(FILES):
        return found, users
    if scheme.lower().startswith("databricks"):
        found.add(rest)
    before, at, _ = rest.rpartition("@")
    if at:
        user, colon, password = before.partition(":")
        found |= {before, password, *re.split(r"[@:/?&=#]", password)} if colon else {before}
        users |= {user, unquote_plus(user)} if colon else set()
    query = re.split(r"[?#]", rest, maxsplit=1)[1:]
    for pair in re.split(r"[&;]", query[0]) if query else ():
        key, equals, value = pair.partition("=")
        if not equals or len(value) >= SHORTEST_VALUE or re.search(rf"(?i){WORDS}", key):
            found.add(value if equals else key)
    return found, users


def _quote_all(text: str) -> str:
    return quote(text, safe="")


def _basic(text: str) -> str:
    """As in the header of a request."""
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()

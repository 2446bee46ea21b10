"""pydantic's mistakes in the words of `params.yaml`: the key's path, what was found, what is allowed."""

import re
from collections.abc import Iterable
from typing import Any

from pydantic_core import ErrorDetails, PydanticCustomError

from reprolab.errors import choice


def told(text: str) -> PydanticCustomError:
    """A mistake that names its key itself."""
    return PydanticCustomError("told", "{text}", {"text": text})


def choice_error(what: str, found: object, allowed: Iterable[str]) -> PydanticCustomError:
    return told(choice(what, found, allowed))


def explain(detail: ErrorDetails, data: Any) -> str:
    """One mistake as `key.path: what is wrong`, without the names that pydantic gives to union members."""
    path: list[str] = []
    value = data
    for part in detail["loc"]:
        if isinstance(value, list) or (isinstance(value, dict) and part in value):
            value = value[part]  # type: ignore[index]
        elif detail["type"] != "missing":
            continue
        path.append(str(part))
    where = ".".join(path)
    context = detail.get("ctx", {})
    match detail["type"]:
        case "told":
            return f"{where}: {context['text']}" if where else context["text"]
        case "missing":
            return f"{where}: this key is missing"
        case "union_tag_invalid":
            allowed = [tag.strip(" '") for tag in context["expected_tags"].split(",")]
            return f"{where}.name: " + choice("unknown name", context["tag"], allowed)
        case "union_tag_not_found":
            return f"{where}: the key `name` is missing"
        case _:
            return f"{where or 'the whole file'}: found {detail['input']!r}; it {wanted(detail['msg'])}"


def wanted(message: str) -> str:
    """pydantic's message in the words of YAML."""
    message = re.sub("dictionary or (an )?instance of \\w+|dictionary", "mapping", message)
    return re.sub("[Tt]uple", "list", message).replace("Input should", "should")

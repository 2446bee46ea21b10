"""Strict sections of a document, and what is wrong with one in the words of YAML: key, value, what is allowed."""

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from reprolab.core.errors import choice


class Section(BaseModel):
    """A mapping with strict types and no unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, dict) and cls.model_config["extra"] == "forbid":
            for key in data:
                if key not in cls.model_fields:
                    raise choice_error("unknown key", key, cls.model_fields)
        return data


def complete_error(text: str) -> PydanticCustomError:
    """An error whose text names its key itself."""
    return PydanticCustomError("complete", "{text}", {"text": text})


def choice_error(what: str, found: object, allowed: Iterable[str]) -> PydanticCustomError:
    return complete_error(choice(what, found, allowed))


def explain(error: ValidationError, data: Any) -> list[str]:
    """A line for each thing that is wrong with `data`: `key.path: what is wrong`."""
    return [_explain(detail, data) for detail in error.errors()]


def _explain(detail: ErrorDetails, data: Any) -> str:
    # Without the names that pydantic gives to the members of a union.
    path: list[str] = []
    value = data
    for part in detail["loc"]:
        if isinstance(value, list) or (isinstance(value, dict) and part in value):
            value = value[part]  # type: ignore[index]
        elif detail["type"] != "missing":
            continue
        path.append(str(part))
    where = ".".join(path)
    match detail["type"]:
        case "complete":
            text = detail["ctx"]["text"]
            return f"{where}: {text}" if where else str(text)
        case "missing":
            return f"{where}: this key is missing"
        case _:
            return f"{where or 'the whole file'}: found {detail['input']!r}; it {requirement(detail['msg'])}"


def requirement(message: str) -> str:
    """pydantic's message in the words of YAML."""
    message = re.sub("dictionary or (an )?instance of \\w+|dictionary", "mapping", message)
    return re.sub("^\\w+ should", "should", re.sub("[Tt]uple", "list", message))

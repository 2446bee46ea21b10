"""Strict sections of a document, and what is wrong with one in the words of YAML: key, value, what is allowed."""

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from reprolab.core.errors import choice, shown

LONGEST_KEY = 60  # characters of a key, or of a proposal, in a message
NUMBER = re.compile(r"[+-]?[0-9.]{1,30}(?:e[+-]?[0-9]{1,4})?")
WORDS = re.compile(r"[\w.,+ -]{1,60}")
DECIMAL_COMMA = re.compile(r"[+-]?[0-9]{1,30},[0-9]{1,30}(?:e[+-]?[0-9]{1,4})?")


class Section(BaseModel):
    """A mapping with strict types and no unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        for key in data if isinstance(data, dict) else ():
            known = isinstance(key, str) and (cls.model_config["extra"] == "allow" or key in cls.model_fields)
            if not known:
                raise complete_error(choice("unknown key", key, cls.model_fields) + _of_a_decimal_comma(key, data))
        return data


def complete_error(text: str) -> PydanticCustomError:
    """An error whose text names its key itself."""
    return PydanticCustomError("complete", "{text}", {"text": text})


def choice_error(what: str, found: object, allowed: Iterable[str]) -> PydanticCustomError:
    return complete_error(choice(what, found, allowed))


def explain(error: ValidationError, data: Any, within: str = "") -> list[str]:
    """A line for each thing that is wrong with `data`, which lies `within` a key: `key.path: what is wrong`."""
    return [_explain(detail, data, within) for detail in error.errors()]


def found_and_required(detail: ErrorDetails) -> str:
    """What was found in the place of a value, what is required there, and what may have been meant."""
    found = detail["input"]
    return f"found {shown(found)}; it {_requirement(detail['msg'])}{_meant(found, detail['type'])}"


def key_path(parts: Iterable[object]) -> str:
    """Keys from the outermost one on: `experiments.small.training`."""
    return ".".join(part if isinstance(part, str) and len(part) <= LONGEST_KEY else shown(part) for part in parts)


def path_to(detail: ErrorDetails, data: Any) -> list[object]:
    """The keys that lead to what is wrong, without the names that pydantic gives to the members of a union."""
    path: list[object] = []
    value = data
    for part in detail["loc"]:
        if (isinstance(value, list) and isinstance(part, int)) or (isinstance(value, dict) and part in value):
            value = value[part]  # type: ignore[index]
        elif detail["type"] != "missing":
            continue
        path.append(part)
    return path


def _explain(detail: ErrorDetails, data: Any, within: str) -> str:
    where = ".".join(filter(None, [within, key_path(path_to(detail, data))]))
    match detail["type"]:
        case "complete":
            text = detail["ctx"]["text"]
            return f"{where}: {text}" if where else str(text)
        case "missing":
            return f"{where}: this key is missing"
        case _:
            return f"{where or 'the whole file'}: {found_and_required(detail)}"


def _requirement(message: str) -> str:
    """pydantic's message in the words of YAML."""
    message = re.sub("dictionary or (an )?instance of \\w+|dictionary", "mapping", message)
    return re.sub("^\\w+ should", "should", re.sub("[Tt]uple", "list", message))


def _meant(found: object, error: str) -> str:
    """What would be right, where a value looks like something that YAML writes otherwise."""
    if error in ("list_type", "tuple_type") and isinstance(found, int | float | str):
        text = found if isinstance(found, str) else shown(found)
        pattern = WORDS if isinstance(found, str) else NUMBER
        return f", as in [{text}]" if pattern.fullmatch(text) else ""
    if isinstance(found, str) and error in ("float_type", "int_type"):
        if DECIMAL_COMMA.fullmatch(found):
            return f", with a decimal point: {found.replace(',', '.')}"
        if NUMBER.fullmatch(found):
            return f", without quotes: {found}"
    return ""


def _of_a_decimal_comma(key: object, data: dict[Any, Any]) -> str:
    """`{lr: 0,006}` is `{lr: 0, 006: null}` to YAML."""
    before = list(data)[: list(data).index(key)]
    if data[key] is None and before and NUMBER.fullmatch(shown(key)):
        return f". Is it behind a decimal comma? Write a point, as in {key_path(before[-1:])}: 0.5"
    return ""

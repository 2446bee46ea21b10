"""Name is lookup: a component of `params.yaml` is one function in the module that bears its name.

The function's keyword-only parameters are the options that `params.yaml` may set, with their types.
"""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from pydantic import ConfigDict, ValidationError, create_model

from reprolab.config import Component
from reprolab.errors import InputError, did_you_mean
from reprolab.mistakes import wanted


def component_function(package: str, function: str, component: Component, where: str) -> Callable[..., Any]:
    """The function `function` of `reprolab.<package>.<name>`.

    Raises `InputError`, which names the key below `where`, when an option is unknown or has a wrong type.
    """
    found: Callable[..., Any] = getattr(importlib.import_module(f"reprolab.{package}.{component.name}"), function)
    options = {
        name: (parameter.annotation, ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(found).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    for option in component.options:
        if option not in options:
            raise InputError(
                f"{where}.{option}: unknown option of '{component.name}'{did_you_mean(option, options)}; "
                f"allowed: {', '.join(options) or 'none'}"
            )
    schema = create_model("Options", __config__=ConfigDict(strict=True), **options)  # type: ignore[call-overload]
    try:
        schema.model_validate(component.options)
    except ValidationError as error:
        detail = error.errors()[0]
        option = str(detail["loc"][0])
        if detail["type"] == "missing":
            raise InputError(f"{where}.{option}: this option of '{component.name}' is missing") from None
        key = ".".join([where, *(str(part) for part in detail["loc"])])
        raise InputError(f"{key}: found {detail['input']!r}; it {wanted(detail['msg'])}") from None
    return found

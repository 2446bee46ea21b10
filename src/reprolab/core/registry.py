"""Name is lookup: what `params.yaml` names is one function in the module that bears its name.

The function's keyword-only parameters, with their types and defaults, are the options that `params.yaml` may set. A
new architecture, source, optimizer, schedule or loss is one new file in its folder, and nothing else changes.
"""

import importlib
import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Self, TypeVar

from pydantic import ConfigDict, ValidationError, create_model, field_validator

from reprolab.core.errors import InputError, did_you_mean
from reprolab.core.validation import Section, choice_error, found_and_required, key_path, path_to

LIBRARY = Path(__file__).parents[1]

S = TypeVar("S", bound=Section)


class Component(Section):
    """The name of a module in `folder`, and options for the module's `function`."""

    model_config = ConfigDict(extra="allow")
    folder: ClassVar[str]
    function: ClassVar[str] = "build"

    name: str

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in (known := cls.names()):
            raise choice_error("unknown name", name, known)
        return name

    @classmethod
    def names(cls) -> list[str]:
        """What `params.yaml` may name: the modules in the folder."""
        return sorted(path.stem for path in (LIBRARY / cls.folder).glob("[!_]*.py"))

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})

    @property
    def module_name(self) -> str:
        return f"reprolab.{self.folder.replace('/', '.')}.{self.name}"

    def module(self) -> ModuleType:
        return importlib.import_module(self.module_name)

    def bind(self, where: str) -> Callable[..., Any]:
        """The function with its options given. Raises `InputError` as `resolved` does."""
        return partial(getattr(self.module(), self.function), **self.resolved(where).options)

    def resolved(self, where: str) -> Self:
        """With the function's defaults filled in, but for those that are None.

        Raises `InputError` when an option is unknown, missing or of a wrong type, with a line for each.
        """
        values, errors = self._checked(where)
        if errors:
            raise InputError("\n  ".join(errors))
        return type(self)(name=self.name, **values)

    def option_errors(self, where: str) -> list[str]:
        """What is wrong with the options, each with its key below `where`."""
        return self._checked(where)[1]

    def _checked(self, where: str) -> tuple[dict[str, Any], list[str]]:
        """The values of all options but those that are None, a whole number made a float where the option is one, and
        what is wrong with them."""
        parameters = self._parameters()
        errors = [
            f"{where}.{key_path([option])}: unknown option of '{self.name}'{did_you_mean(option, parameters)}; "
            f"allowed: {', '.join(parameters) or 'none'}"
            for option in self.options
            if option not in parameters
        ]
        fields = {
            name: (found.annotation, ... if found.default is found.empty else found.default)
            for name, found in parameters.items()
        }
        config = ConfigDict(strict=True, allow_inf_nan=False)
        schema = create_model("Options", __config__=config, **fields)  # type: ignore[call-overload]
        try:
            found = schema.model_validate({name: value for name, value in self.options.items() if name in parameters})
        except ValidationError as error:
            for detail in error.errors():
                key = f"{where}.{key_path(path_to(detail, self.options))}"
                if detail["type"] == "missing":
                    errors.append(f"{key}: this option of '{self.name}' is missing")
                else:
                    errors.append(f"{key}: {found_and_required(detail)}")
            return {}, errors
        values = {name: getattr(found, name) for name in parameters}
        return {name: value for name, value in values.items() if value is not None}, errors

    def _parameters(self) -> dict[str, inspect.Parameter]:
        signature = inspect.signature(getattr(self.module(), self.function))
        return {name: found for name, found in signature.parameters.items() if found.kind is found.KEYWORD_ONLY}


def components(section: Section) -> list[Component]:
    """All components in a section."""
    if isinstance(section, Component):
        return [section]
    return [found for _, value in section if isinstance(value, Section) for found in components(value)]


def option_errors(section: Section, where: str) -> list[str]:
    """What is wrong with the options of all components in a section."""
    if isinstance(section, Component):
        return section.option_errors(where)
    inside = [(name, value) for name, value in section if isinstance(value, Section)]
    return [error for name, value in inside for error in option_errors(value, f"{where}.{name}")]


def resolved(section: S, where: str) -> S:
    """A section with the defaults of all its components filled in. Raises `InputError` as `Component.resolved` does."""
    if isinstance(section, Component):
        return section.resolved(where)
    inside = {name: resolved(value, f"{where}.{name}") for name, value in section if isinstance(value, Section)}
    return section.model_copy(update=inside)

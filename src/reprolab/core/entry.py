"""An experiment as an entry of `params.yaml`."""

import math
from collections.abc import Iterator
from typing import Any

import yaml

from reprolab.core.config import Experiment

WIDTH = 80  # columns, after which DVC breaks what is in braces


def experiment_yaml(name: str, experiment: Experiment, defaults: bool = True) -> str:
    """An entry of `experiments`, ready to paste into `params.yaml`; without `defaults` with what was given."""
    content = {name: experiment.model_dump(mode="json", exclude_none=True, exclude_unset=not defaults)}
    return "".join(_yaml_lines(content, "  "))


def _yaml_lines(content: dict[str, Any], indent: str) -> Iterator[str]:
    """What fits in a line is in braces."""
    for key, value in content.items():
        text = yaml.safe_dump(value, sort_keys=False, default_flow_style=True, width=math.inf).removesuffix("...\n")
        line = f"{indent}{key}: {text.strip()}\n"
        if isinstance(value, dict) and len(line) > WIDTH:
            yield f"{indent}{key}:\n"
            yield from _yaml_lines(value, f"{indent}  ")
        else:
            yield line

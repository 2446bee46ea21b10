"""The processor and precision of a run, chosen once from the hardware.

`REPROLAB_DEVICE` (cpu, cuda, mps) and `REPROLAB_PRECISION` (float32, bfloat16) override the choice. They come from
the environment and not from `params.yaml`, so that they never make a result stale.
"""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch

from reprolab.core.errors import InputError
from reprolab.data.parts import SplitInfo

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Device:
    """Weights and evaluation are float32; `precision` is that of the training's forward pass."""

    name: str
    precision: str

    def autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.name, torch.bfloat16, enabled=self.precision == "bfloat16")


def choose_device(data: SplitInfo) -> Device:
    """In float32 for features, whose networks are too small to gain from less.

    Raises `InputError` when an environment variable asks for what this machine lacks.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    present = [name for name, found in available.items() if found]
    name = os.environ.get("REPROLAB_DEVICE") or present[0]
    if name not in present:
        raise InputError(f"REPROLAB_DEVICE: found '{name}'; this machine has: {', '.join(present)}")
    precision = os.environ.get("REPROLAB_PRECISION") or ("bfloat16" if _has_bfloat16(name) else "float32")
    if precision not in PRECISIONS:
        raise InputError(f"REPROLAB_PRECISION: found '{precision}'; allowed: {', '.join(PRECISIONS)}")
    if name == "cuda":
        _make_cuda_repeatable()
    return Device(name, precision if data.holds_images else "float32")


def _has_bfloat16(name: str) -> bool:
    if name == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if name == "cpu":
        # Older PyTorch does not say; float32 is right everywhere.
        capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return False


def _make_cuda_repeatable() -> None:
    """The same seed gives the same weights on the same machine, as it does on a CPU without further ado."""
    # cuBLAS reads it when it first starts: https://docs.pytorch.org/docs/stable/notes/randomness.html
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    # Otherwise convolutions in float32 round to ten bits.
    torch.backends.cudnn.allow_tf32 = False

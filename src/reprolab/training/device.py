"""How a training is computed: the processor, the precision and the number of threads, chosen once.

The choice depends on the network and on the kind of machine, never on what else the machine does, so that it is the
same each time. `REPROLAB_DEVICE` (cpu, cuda, mps), `REPROLAB_PRECISION` (float32, bfloat16) and `REPROLAB_THREADS`
override it. They come from the environment and not from `params.yaml`, so that they never make a result stale.
"""

import os
import platform
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits
from torch import nn

from reprolab.core.errors import InputError
from reprolab.data.parts import SplitInfo
from reprolab.models.classifier import Classifier, predict
from reprolab.models.layers import layers_with_weights

PRECISIONS = ("float32", "bfloat16")
SMALL = 5e9  # multiply-adds of the predictions for one epoch: seconds of training, all epochs together
# Read before anything changes it: the cores, or OMP_NUM_THREADS.
ALL_THREADS = torch.get_num_threads()


@dataclass(frozen=True)
class Device:
    """Weights and evaluation are float32; `precision` is that of the training's forward pass."""

    name: str
    precision: str
    threads: int

    def __str__(self) -> str:
        return f"{self.name} in {self.precision} with {self.threads} thread(s)"

    def use(self) -> None:
        """Give PyTorch, and what NumPy and scikit-learn compute with, this number of threads."""
        torch.set_num_threads(self.threads)
        threadpool_limits(self.threads, user_api="blas")

    def autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.name, torch.bfloat16, enabled=self.precision == "bfloat16")


def choose_device(classifier: Classifier, data: SplitInfo) -> Device:
    """For a classifier and its data. A small training gets one thread and float32: it takes seconds anyway, little less
    with more threads or fewer bits, and so leaves the other cores to those that run beside it.

    Raises `InputError` when an environment variable asks for what this machine lacks.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    present = [name for name, found in available.items() if found]
    name = os.environ.get("REPROLAB_DEVICE") or present[0]
    if name not in present:
        raise InputError(f"REPROLAB_DEVICE: found '{name}'; this machine has: {', '.join(present)}")
    if name == "cuda":
        _make_cuda_repeatable()
    small = multiply_adds(classifier, data) * data.sizes["train"] < SMALL
    return Device(name, _precision(name, small), _threads(small))


def multiply_adds(classifier: Classifier, data: SplitInfo) -> int:
    """About how many of them a prediction takes: of each layer its weights, times the places where they are used."""
    counts: list[int] = []

    def count(layer: nn.Module, _: object, output: object) -> None:
        own = sum(parameter.numel() for parameter in layer.parameters(recurse=False))
        if isinstance(output, torch.Tensor):  # attention's is a pair, and its projections are little of it
            counts.append(own * (output.numel() // output.shape[1 if output.ndim == 4 else -1]))

    hooks = [layer.register_forward_hook(count) for layer in layers_with_weights(classifier.network)]
    dtype = torch.uint8 if data.holds_images else torch.float32
    predict(classifier, torch.zeros(1, *data.shape, dtype=dtype, device=classifier.mean.device))
    for hook in hooks:
        hook.remove()
    return sum(counts)


def processor(device: str) -> str:
    """The kind of processor that a device's name stands for, as its maker names it: results are bit for bit the same on
    one kind."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return platform.processor() or platform.machine()
    lines = (line.partition(":") for line in cpuinfo.read_text(encoding="utf-8").splitlines())
    found = {key.strip(): value.strip() for key, _, value in lines}
    numbers = ", ".join(f"{key} {found[key]}" for key in ("cpu family", "model") if key in found)
    return f"{found.get('model name', platform.machine())} ({numbers})"


def _precision(name: str, small: bool) -> str:
    precision = os.environ.get("REPROLAB_PRECISION")
    if precision and precision not in PRECISIONS:
        raise InputError(f"REPROLAB_PRECISION: found '{precision}'; allowed: {', '.join(PRECISIONS)}")
    return precision or ("bfloat16" if _has_bfloat16(name) and not small else "float32")


def _threads(small: bool) -> int:
    found = os.environ.get("REPROLAB_THREADS")
    if found and not (found.isdecimal() and 1 <= int(found) <= 1024):
        raise InputError(f"REPROLAB_THREADS: found '{found}'; it should be a whole number from 1 to 1024")
    return int(found) if found else 1 if small else ALL_THREADS


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

"""What an architecture costs, whatever its weights: operations, memory, throughput, and the table of its layers.

No stage of the pipeline: speed belongs to a machine and its moment, so all architectures are measured in one process,
one after another, and a cached figure beside a new one would compare nothing.
"""

import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import SGD
from torch.utils.flop_counter import FlopCounterMode

from reprolab.classifier import Classifier, build_classifier, predict
from reprolab.config import Params
from reprolab.data.splits import load_info
from reprolab.device import Device, choose_device
from reprolab.files import write_csv, write_json
from reprolab.models import FitsItself

MEGABYTE = 1e6
AT_LEAST_SECONDS, AT_LEAST_STEPS = 2.0, 3


def measure(params: Params, experiments: Sequence[str], splits: Path, folder: Path) -> None:
    """Write `<experiment>.json` and `<experiment>-layers.csv` for each experiment; one network, input and batch size is
    measured once. Reads `split.json` of the data sets below `splits`. Raises `InputError` when one is missing."""
    done: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
    for name in experiments:
        experiment = params.experiment(name)
        batch_size = experiment.training.batch_size
        info = load_info(splits / experiment.dataset)
        classifier = build_classifier(experiment, info)
        trainable = sum(value.numel() for value in classifier.parameters() if value.requires_grad)
        same = repr((experiment.dataset, experiment.model, experiment.input, batch_size))
        if same not in done:
            device = choose_device() if info.holds_images else choose_device().exact()
            classifier.requires_grad_(True)
            shape = tuple(info.shape)
            rows = layer_rows(classifier, shape)
            done[same] = (costs(classifier, shape, batch_size, device), rows)
        figures, rows = done[same]
        write_json(folder / f"{name}.json", figures | {"trainable_parameters": trainable})
        write_csv(folder / f"{name}-layers.csv", rows)
        trains = figures["training_images_per_second"]
        print(
            f"{name}: {figures['parameters']:,} parameters, {figures['flops_per_image'] / 1e6:,.2f} MFLOPs an image, "
            + (f"{trains:,} images/s in training, " if trains else "")
            + f"{figures['inference_images_per_second']:,} in inference",
            flush=True,
        )


def costs(classifier: Classifier, shape: tuple[int, ...], batch_size: int, device: Device) -> dict[str, Any]:
    """Of a network all of whose layers train, on random inputs of the stored `shape`, in batches of `batch_size`.

    `flops_per_image` counts multiplications and additions of one prediction. `training_memory_mb` holds weights,
    gradients and what the forward pass keeps for the backward pass, for one batch; the optimizer's state comes on
    top, once the weights for momentum and twice for Adam. `weights_mb` is the size of the model's file. A network
    that a library fits has no figures of training.
    """
    classifier = classifier.to(device.name).eval()
    one = _random_inputs(1, shape, device)
    batch = _random_inputs(batch_size, shape, device)
    weights = sum(value.numel() * value.element_size() for value in classifier.state_dict().values()) / MEGABYTE
    by_gradient = not isinstance(classifier.network, FitsItself)
    return {
        "parameters": sum(parameter.numel() for parameter in classifier.parameters()),
        "flops_per_image": _flops(classifier, one),
        "weights_mb": round(weights, 3),
        "training_memory_mb": round(2 * weights + _kept_for_backward(classifier, batch, device), 3)
        if by_gradient
        else None,
        "batch_size": batch_size,
        "training_images_per_second": round(_training_rate(classifier, batch, device)) if by_gradient else None,
        "inference_images_per_second": round(_rate(lambda: predict(classifier, batch), batch_size, device)),
        "device": device.name,
        "precision": device.precision,
        "machine": _machine(device),
    }


def layer_rows(classifier: Classifier, shape: tuple[int, ...]) -> list[dict[str, Any]]:
    """A row for each layer that a prediction runs through, in order: input size, output size, feature maps (the
    channels of a convolution's or pooling's output), parameters.

    Attention is one layer. A module that has weights of its own besides its layers, such as a transformer's class
    token, follows them.
    """
    rows: list[dict[str, Any]] = []

    def note(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            output = output[0] if isinstance(layer, nn.MultiheadAttention) else output
            if not (inputs and isinstance(inputs[0], torch.Tensor) and isinstance(output, torch.Tensor)):
                return
            size = tuple(output.shape[1:])
            own = layer.parameters(recurse=isinstance(layer, nn.MultiheadAttention))
            rows.append(
                {
                    "layer": name or "itself",
                    "type": type(layer).__name__,
                    "input": _size(inputs[0]),
                    "output": _size(output),
                    "maps": size[0] if len(size) == 3 else "",
                    "parameters": sum(parameter.numel() for parameter in own),
                }
            )

        return hook

    modules = dict(classifier.network.named_modules())
    inside = {
        part for layer in modules.values() if isinstance(layer, nn.MultiheadAttention) for part in layer.children()
    }
    layers = {
        name: layer
        for name, layer in modules.items()
        if layer not in inside and (not list(layer.children()) or list(layer.parameters(recurse=False)))
    }
    hooks = [layer.register_forward_hook(note(name)) for name, layer in layers.items()]
    try:
        predict(classifier, _random_inputs(1, shape, Device("cpu", "float32")))
    finally:
        for hook in hooks:
            hook.remove()
    return rows


def _size(value: torch.Tensor) -> str:
    return "×".join(str(side) for side in value.shape[1:])


def _random_inputs(count: int, shape: tuple[int, ...], device: Device) -> torch.Tensor:
    noise = torch.Generator().manual_seed(0)
    if len(shape) == 3:
        return torch.randint(256, (count, *shape), dtype=torch.uint8, generator=noise).to(device.name)
    return torch.randn(count, *shape, generator=noise).to(device.name)


def _flops(classifier: Classifier, one: torch.Tensor) -> int:
    # Only its network: the preparation of the input is the same for all, and no part of the architecture.
    prepared = classifier.prepare(one)
    # Fused attention is one operation, which the counter does not know.
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            classifier.network(prepared)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return int(counter.get_total_flops())


def _kept_for_backward(classifier: Classifier, batch: torch.Tensor, device: Device) -> float:
    """Megabytes of the tensors that autograd saves, each storage counted once, weights left out."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in classifier.parameters()}
    kept: dict[int, int] = {}

    def pack(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return value

    labels = torch.zeros(len(batch), dtype=torch.int64, device=batch.device)
    classifier.train()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value), device.autocast():
        loss = F.cross_entropy(classifier(batch), labels)
    del loss
    return sum(kept.values()) / MEGABYTE


def _training_rate(classifier: Classifier, batch: torch.Tensor, device: Device) -> float:
    optimizer = SGD(classifier.parameters(), 1e-4, momentum=0.9)
    labels = torch.zeros(len(batch), dtype=torch.int64, device=batch.device)
    classifier.train()

    def step() -> None:
        with device.autocast():
            loss = F.cross_entropy(classifier(batch), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return _rate(step, len(batch), device)


def _rate(work: Callable[[], object], examples: int, device: Device) -> float:
    """Examples a second, after one call to warm up."""
    work()
    # An accelerator only takes orders: its work is done when it says so.
    wait = {"cuda": torch.cuda.synchronize, "mps": torch.mps.synchronize}.get(device.name, lambda: None)
    wait()
    calls, started = 0, perf_counter()
    while calls < AT_LEAST_STEPS or perf_counter() - started < AT_LEAST_SECONDS:
        work()
        calls += 1
        wait()
    return calls * examples / (perf_counter() - started)


def _machine(device: Device) -> str:
    if device.name == "cuda":
        return torch.cuda.get_device_name()
    return f"{platform.machine()}, {torch.get_num_threads()} threads"

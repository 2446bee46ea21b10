"""What an architecture costs, whatever its weights: operations, memory, throughput, and the table of its layers.

No stage of the pipeline: speed belongs to a machine and its moment, so all architectures are measured in one process,
one after another, and a cached figure beside a new one would compare nothing.
"""

import platform
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import SGD
from torch.utils.flop_counter import FlopCounterMode

from reprolab.core.config import Experiment, Params
from reprolab.core.files import write_table
from reprolab.core.layout import SPLIT, SPLITS, costs_file, layers_file
from reprolab.data.parts import SplitInfo
from reprolab.evaluation.record import Costs, LayerRow
from reprolab.models.build import FitsItself
from reprolab.models.classifier import Classifier, build_classifier, predict
from reprolab.training.device import Device, choose_device

MEGABYTE = 1e6
AT_LEAST_SECONDS, AT_LEAST_STEPS = 2.0, 3


def measure(params: Params, experiments: Sequence[str]) -> None:
    """Write the costs and the layers of each experiment; one network, input and batch size is measured once.

    Reads what is known of the data sets' splits. Raises `InputError` when one is missing.
    """
    done: dict[str, tuple[Costs, list[LayerRow]]] = {}
    for name in experiments:
        experiment = params.experiment(name)
        batch_size = experiment.training.batch_size
        info = SplitInfo.load(SPLITS / experiment.dataset / SPLIT)
        classifier = build_classifier(experiment, info)
        trainable = _trainable(classifier)
        same = repr((experiment.dataset, experiment.model, experiment.input, batch_size))
        if same not in done:
            shape = tuple(info.shape)
            rows = layer_rows(classifier, shape)
            done[same] = (costs(classifier, shape, batch_size, choose_device(classifier, info)), rows)
        figures, rows = done[same]
        own = {"trainable_parameters": trainable, "epoch_seconds": _epoch_seconds(experiment, info, figures)}
        figures.model_copy(update=own).save(costs_file(name))
        write_table(layers_file(name), rows)
        trains = figures.training_images_per_second
        print(
            f"{name}: {figures.parameters:,} parameters, {figures.flops_per_image / 1e6:,.2f} MFLOPs an image, "
            + (f"{trains:,} images/s in training, " if trains else "")
            + f"{figures.inference_images_per_second:,} in inference",
            flush=True,
        )


def costs(classifier: Classifier, shape: tuple[int, ...], batch_size: int, device: Device) -> Costs:
    """Of a network all of whose layers train, on random inputs of the stored `shape`, in batches of `batch_size`.

    `flops_per_image` counts multiplications and additions of one prediction. `training_memory_mb` holds weights,
    gradients and what the forward pass saves for the backward pass, for one batch; the optimizer's state comes on
    top, once the weights for momentum and twice for Adam. `weights_mb` is the size of the model's file. Only
    `trainable_parameters` heeds which layers are frozen; afterwards none is.
    """
    trainable = _trainable(classifier)
    device.use()
    classifier = classifier.requires_grad_(True).to(device.name).eval()
    one = _random_inputs(1, shape, device)
    batch = _random_inputs(batch_size, shape, device)
    weights = sum(value.numel() * value.element_size() for value in classifier.state_dict().values()) / MEGABYTE
    flops = _flops(classifier, one)
    memory, training_rate = None, None
    if not isinstance(classifier.network, FitsItself):
        memory = round(2 * weights + _saved_for_backward(classifier, batch, device), 3)
        training_rate = round(_training_rate(classifier, batch, device))
    return Costs(
        parameters=sum(parameter.numel() for parameter in classifier.parameters()),
        flops_per_image=flops,
        weights_mb=round(weights, 3),
        training_memory_mb=memory,
        batch_size=batch_size,
        training_images_per_second=training_rate,
        inference_images_per_second=round(_rate(lambda: predict(classifier, batch), batch_size, device)),
        device=device.name,
        precision=device.precision,
        machine=_machine(device),
        trainable_parameters=trainable,
    )


def layer_rows(classifier: Classifier, shape: tuple[int, ...]) -> list[LayerRow]:
    """A row for each layer that a prediction runs through, in order: input size, output size, feature maps (the
    channels of a convolution's or pooling's output), parameters.

    Attention is one layer. A module that has weights of its own besides its layers, such as a transformer's class
    token, follows them.
    """
    rows: list[LayerRow] = []

    def note(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            output = output[0] if isinstance(layer, nn.MultiheadAttention) else output
            if not (inputs and isinstance(inputs[0], torch.Tensor) and isinstance(output, torch.Tensor)):
                return
            size = tuple(output.shape[1:])
            own = layer.parameters(recurse=isinstance(layer, nn.MultiheadAttention))
            rows.append(
                LayerRow(
                    layer=name or "itself",
                    type=_type(layer),
                    input=_size(inputs[0]),
                    output=_size(output),
                    maps=size[0] if len(size) == 3 else None,
                    parameters=sum(parameter.numel() for parameter in own),
                )
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
        predict(classifier, _random_inputs(1, shape, Device("cpu", "float32", threads=1)))
    finally:
        for hook in hooks:
            hook.remove()
    return rows


def _type(layer: nn.Module) -> str:
    """PyTorch's name, also for a layer of ours that takes its place."""
    return next(kind.__name__ for kind in type(layer).mro() if not kind.__module__.endswith(".kernels"))


def _epoch_seconds(experiment: Experiment, info: SplitInfo, figures: Costs) -> float | None:
    if not figures.training_images_per_second:
        return None
    examples = sum(info.sizes[part] for part in experiment.training.data.split("+"))
    return round(examples / figures.training_images_per_second, 3)


def _trainable(classifier: Classifier) -> int:
    return sum(parameter.numel() for parameter in classifier.trained_parameters())


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


def _saved_for_backward(classifier: Classifier, batch: torch.Tensor, device: Device) -> float:
    """Megabytes of the tensors that autograd saves, each storage counted once, weights left out."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in classifier.parameters()}
    saved: dict[int, int] = {}

    def pack(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = storage.nbytes()
        return value

    labels = torch.zeros(len(batch), dtype=torch.int64, device=batch.device)
    classifier.train()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value), device.autocast():
        loss = F.cross_entropy(classifier(batch), labels)
    del loss
    return sum(saved.values()) / MEGABYTE


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

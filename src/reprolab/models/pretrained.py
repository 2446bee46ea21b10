"""Weights that a network starts from: ImageNet's, as torchvision or a package has them, or another experiment's.

All but the head is taken over; the head is new, since its classes are.
"""

import pickle
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zlib import crc32

import torch

from reprolab.core.config import IMAGENET, RANDOM, Experiment
from reprolab.core.errors import InputError
from reprolab.core.files import file_hash
from reprolab.core.layout import MODEL
from reprolab.data.fetch import MIRROR_VARIABLE, fetch_file, verify_unpacked_size
from reprolab.data.streams import stream
from reprolab.models.build import imagenet_weights
from reprolab.models.classifier import Classifier, Weights
from reprolab.models.folder import ModelInfo, load_weights
from reprolab.models.layers import head_of

MOST_BYTES = 10**9  # of a file of weights


@dataclass(frozen=True)
class PretrainedWeights:
    """A network's weights by name, and where they are from."""

    origin: str
    weights: Weights

    def head_stream(self, seed: int) -> int:
        """What to draw the new head from: never what the weights were trained with, which may have a new head too."""
        return stream(seed, "head", crc32(self.origin.encode()))


def load_pretrained(experiment: Experiment, folder: Path) -> PretrainedWeights | None:
    """The weights that `init_from` names, None for random ones; `folder` holds those of another experiment.

    The first seed of the other experiment gives them. Raises `InputError` when they cannot be had.
    """
    if experiment.init_from == RANDOM:
        return None
    if experiment.init_from == IMAGENET:
        return _from_imagenet(experiment)
    seed = ModelInfo.load(folder / MODEL).experiment.training.seeds[0]
    prefix = "network."
    weights = {
        name.removeprefix(prefix): value
        for name, value in load_weights(folder, seed).items()
        if name.startswith(prefix)
    }
    return PretrainedWeights(f"{experiment.init_from}, seed {seed}", weights)


def start_from(pretrained: PretrainedWeights, classifier: Classifier, experiment: Experiment) -> None:
    """Take over all weights but the head's. Raises `InputError` when the two networks differ elsewhere."""
    network = classifier.network
    own = network.state_dict()
    prefix = next(name for name, module in network.named_modules() if module is head_of(network)) + "."
    given = {name: value for name, value in pretrained.weights.items() if not name.startswith(prefix)}
    kept = {name: value for name, value in own.items() if name.startswith(prefix)}
    wanted = {name: tuple(value.shape) for name, value in own.items() if name not in kept}
    found = {name: tuple(value.shape) for name, value in given.items()}
    if wanted != found:
        name = next(name for name in [*wanted, *found] if wanted.get(name) != found.get(name))
        raise InputError(
            f"init_from: the weights of {pretrained.origin} do not fit '{experiment.model.name}': {name} has the shape "
            f"{found.get(name, 'nothing')}, expected {wanted.get(name, 'nothing')}. Give both the same model and "
            "input size"
        )
    network.load_state_dict(given | kept)


def _from_imagenet(experiment: Experiment) -> PretrainedWeights:
    """From torch's cache, otherwise fetched into it from the mirror or the internet."""
    entry = imagenet_weights(experiment.model)
    name = entry.url.rsplit("/", 1)[1]
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    path = cache / name
    verify = partial(_verify, name)
    if path.is_file():
        verify(path, f"{path} (remove it and run this again)")
    else:
        try:
            fetch_file("imagenet", {name: [entry.url]}, cache, verify, MOST_BYTES)
        except InputError as error:
            raise InputError(
                f"init_from: the ImageNet weights {name} are neither in {cache} nor to be fetched.\n{error}.\n"
                f"Put {name} into {cache}, or into the folder imagenet of {MIRROR_VARIABLE}; every other experiment "
                "runs without it (`dvc repro --keep-going`)"
            ) from None
    try:
        weights: Weights = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, LookupError) as error:
        raise InputError(f"{path} holds no weights ({error}): remove it and run this again") from None
    return PretrainedWeights(f"ImageNet ({name})", weights)


def _verify(name: str, path: Path, where: str) -> None:
    """torchvision's file names end with the first digits of the content's SHA-256."""
    expected = Path(name).stem.rsplit("-", 1)[1]
    found = file_hash(path)
    if not found.startswith(expected):
        raise InputError(f"{where} is damaged or altered: its SHA-256 is {found}, expected {expected}…")
    if zipfile.is_zipfile(path):
        try:
            verify_unpacked_size(path, MOST_BYTES)
        except (ValueError, zipfile.BadZipFile) as error:
            raise InputError(f"{where} is damaged or altered: {error}") from None

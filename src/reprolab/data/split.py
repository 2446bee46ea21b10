"""Cut a data set into training, validation and test parts that share no example."""

import hashlib
from itertools import combinations
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from reprolab.core.config import SplitConfig
from reprolab.core.errors import InputError
from reprolab.core.integrity import content_hash, verify_part
from reprolab.core.layout import SPLIT
from reprolab.data.fetch import SourceData
from reprolab.data.parts import Part, SplitInfo, load_part


def make_split(source: SourceData, config: SplitConfig, where: str = "split") -> dict[str, Part]:
    """Cut a validation part, where one is asked for, out of the training examples; the test part is the published one,
    or a part of it, or, where none is published, cut out first.

    A share is one of the different examples, stratified by class, and their copies go with them. Where it is not
    stratified it is one of all rows, as scikit-learn's `train_test_split` cuts them, and an example's copies go where
    its first row goes. A count is that many different examples, and their copies are in no part. Raises `InputError`
    when the published test part shares an example with the training part, or, with the key below `where`, when a size
    is missing or does not fit.
    """
    pool = Part(source.train_inputs, source.train_labels)
    if source.test_inputs is None or source.test_labels is None:
        if config.test is None:
            raise InputError(f"{where}.test: the source has no test part of its own; give a share below 1, or a count")
        test, pool = _cut(pool, config.test, f"{where}.test", config)
    else:
        refuse_contamination(source.train_inputs, source.test_inputs)
        test = Part(source.test_inputs, source.test_labels)
        if config.test is not None:
            test, _ = _cut(test, config.test, f"{where}.test", config, all_is_fine=True)
    parts = {"train": pool, "test": test}
    if config.validation is not None:
        validation, train = _cut(pool, config.validation, f"{where}.validation", config)
        parts = {"train": train, "validation": validation, "test": test}
    if missing := set(pool.labels.tolist()) - set(parts["train"].labels.tolist()):
        raise InputError(f"{where}: nothing is left to train on of the class(es) {sorted(missing)}; hold out less")
    if config.train is not None:
        parts["train"], _ = _cut(parts["train"], config.train, f"{where}.train", config, all_is_fine=True)
    for one, other in combinations(parts, 2):
        refuse_contamination(parts[one].inputs, parts[other].inputs, (one, other))
    return parts


def refuse_contamination(train: np.ndarray, test: np.ndarray, names: tuple[str, str] = ("train", "test")) -> None:
    """Raises `InputError` when an example of `test` also stands in `train`, whatever its index."""
    known = {digest: index for index, digest in enumerate(_digests(train))}
    shared = [(index, known[digest]) for index, digest in enumerate(_digests(test)) if digest in known]
    if shared:
        one, other = names
        shown = ", ".join(f"{other} {other_index} = {one} {index}" for other_index, index in shared[:10])
        more = f" and {len(shared) - 10} more" if len(shared) > 10 else ""
        raise InputError(
            f"contamination: {len(shared)} of {len(test)} {other} examples also stand in the {one} part "
            f"({shown}{more}). Remove them from one side: a test on them measures memory, not learning"
        )


def save_split(parts: dict[str, Part], source: SourceData, dataset: str, folder: Path) -> SplitInfo:
    mean, std = statistics(parts["train"].inputs)
    info = SplitInfo(
        dataset=dataset,
        provenance=source.provenance,
        classes=list(source.classes),
        shape=list(source.train_inputs.shape[1:]),
        mean=mean,
        std=std,
        sizes={name: len(part) for name, part in parts.items()},
        sha256={name: content_hash(part) for name, part in parts.items()},
    )
    for name, part in parts.items():
        arrays = {"inputs": np.ascontiguousarray(part.inputs), "labels": part.labels.astype(np.int64)}
        save_file(arrays, folder / f"{name}.safetensors")
    info.save(folder / SPLIT)
    return info


def verify_split(folder: Path, info: SplitInfo) -> None:
    """What a training sees of a split. Raises `InputError` where a part is not the one that `info` was written for, or
    `info` not what it was."""
    for name in info.sizes.keys() - {"test"}:
        part = load_part(folder, name)
        verify_part(folder, name, part, info.sha256[name])
        described = part.inputs.shape == (info.sizes[name], *info.shape) and len(info.classes) > part.labels.max()
        if name == "train":  # processors differ in the last digits of a mean
            found = [*info.mean, *info.std]
            expected = [number for numbers in statistics(part.inputs) for number in numbers]
            described = described and len(found) == len(expected) and np.allclose(found, expected, 1e-5, 1e-6)
        if not described:
            raise InputError(
                f"{folder / SPLIT} is damaged: what it says of shape, sizes, classes, mean or std is not so in "
                f"{name}.safetensors. Run `dvc repro -f split@{folder.name}`"
            )


def statistics(inputs: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation as `SplitInfo` has them."""
    return _channel_statistics(inputs) if inputs.ndim == 4 else _feature_statistics(inputs)


def groups_of_equals(inputs: np.ndarray) -> np.ndarray:
    """For each example (n,) a number that equal ones share; they count up in the order of the examples."""
    groups: dict[bytes, int] = {}
    return np.array([groups.setdefault(digest, len(groups)) for digest in _digests(inputs)])


def _cut(part: Part, size: float, key: str, config: SplitConfig, all_is_fine: bool = False) -> tuple[Part, Part]:
    """The examples that are chosen, and the rest, which shares none with them and is needed unless `all_is_fine`."""
    if not len(part):
        raise InputError(f"{key}: {size:g} of no example, since the other parts have taken all; take less for them")
    group = groups_of_equals(part.inputs)
    first_of_group = np.unique(group, return_index=True)[1]
    labels = part.labels[first_of_group]
    if config.balanced and size >= 1:
        chosen = _balanced_choice(labels, int(size), key, config.seed)
    elif all_is_fine and size == len(labels):
        chosen = np.ones(len(labels), bool)
    elif size < 1 and not config.stratified:
        chosen = _random_choice(part.labels, size, key, config)[first_of_group]
    else:
        chosen = _random_choice(labels, size, key, config)
    with_copies = chosen[group]
    if size < 1:
        return part[with_copies], part[~with_copies]
    alone = np.zeros(len(part), bool)
    alone[first_of_group[chosen]] = True
    return part[alone], part[~with_copies]


def _balanced_choice(labels: np.ndarray, size: int, key: str, seed: int) -> np.ndarray:
    """A mask (n,) of `size` examples, equally many of each class."""
    classes, counts = np.unique(labels, return_counts=True)
    per_class, over = divmod(size, len(classes))
    if over:
        raise InputError(
            f"{key}: {size} examples cannot be balanced over {len(classes)} classes; "
            f"give a multiple of {len(classes)}, or balanced: false"
        )
    if per_class > counts.min():
        raise InputError(
            f"{key}: {size} examples are {per_class} of each class, but class {classes[counts.argmin()]} has "
            f"{counts.min()} different ones left; give at most {counts.min() * len(classes)}"
        )
    generator = np.random.default_rng(seed)
    mask = np.zeros(len(labels), bool)
    for label in classes:
        mask[generator.choice(np.flatnonzero(labels == label), per_class, replace=False)] = True
    return mask


def _random_choice(labels: np.ndarray, size: float, key: str, config: SplitConfig) -> np.ndarray:
    """A mask (n,) of a share or a count of the examples, in which the classes have the shares that they have in all,
    or where that is not asked for about these shares."""
    from sklearn.model_selection import train_test_split

    try:
        _, chosen = train_test_split(
            np.arange(len(labels)),
            test_size=size if size < 1 else int(size),
            random_state=config.seed,
            stratify=labels if config.stratified else None,
        )
    except ValueError as error:
        raise InputError(f"{key}: {size:g} does not fit {len(labels)} different examples ({error})") from None
    if missing := set(labels.tolist()) - set(labels[chosen].tolist()):
        raise InputError(f"{key}: {size:g} chooses no example of the class(es) {sorted(missing)}")
    mask = np.zeros(len(labels), bool)
    mask[chosen] = True
    return mask


def _feature_statistics(inputs: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each feature, 1 for one that never changes."""
    std = inputs.std(0, dtype=np.float64)
    return inputs.mean(0, dtype=np.float64).tolist(), np.where(std > 0, std, 1.0).tolist()


def _channel_statistics(inputs: np.ndarray) -> tuple[list[float], list[float]]:
    """Exact mean and standard deviation of each channel of uint8 images, on a scale from 0 to 1."""
    means, stds = [], []
    for channel in range(inputs.shape[1]):
        counts = np.bincount(inputs[:, channel].ravel(), minlength=256) / inputs[:, channel].size
        values = np.arange(256) / 255
        mean = float(counts @ values)
        means.append(round(mean, 6))
        stds.append(round(float(np.sqrt(counts @ (values - mean) ** 2)), 6))
    return means, stds


def _digests(inputs: np.ndarray) -> list[bytes]:
    return [hashlib.sha256(example.tobytes()).digest() for example in inputs]

"""Python and its packages, the device, the shell, the user, disk space and locale."""

import locale
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from getpass import getuser
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import reprolab
from reprolab.cli.doctor.finding import Finding
from reprolab.core.errors import InputError

GIGABYTE = 10**9
WANTED_GIGABYTES, NEEDED_GIGABYTES = 10, 0.5  # of disk space
OTHER_SHELLS = ("csh", "tcsh", "nologin", "false", "true")


def _python() -> Iterator[Finding]:
    yield Finding("ok", f"Python {sys.version.split()[0]} in {sys.prefix}")
    found = shutil.which("python")
    if found is None or Path(found).parent != Path(sys.executable).parent:
        yield Finding(
            "error",
            f"dvc runs `python`, which is {found or 'not there'}, not that of {sys.prefix}: activate the environment "
            "(`. .venv/bin/activate`), or use the make targets",
        )
    library = Path(reprolab.__file__).parents[1]
    if library != Path("src").resolve():
        yield Finding(
            "note",
            f"the command reprolab is that of {library}, not of this repository: `make install` here, and unset "
            "PYTHONPATH",
        )
    if ":" in str(Path.cwd()):
        yield Finding("error", f"the path {Path.cwd()} has a colon, which separates the folders of PATH: rename it")


def _packages() -> Iterator[Finding]:
    from packaging.requirements import Requirement

    try:
        torch, torchvision = version("torch"), version("torchvision")
        wanted = [Requirement(text) for text in requires("torchvision") or ()]
    except PackageNotFoundError as error:
        yield Finding("error", f"the package {error.name} is not installed: `make install`")
        return
    for requirement in wanted:
        if requirement.name == "torch" and not requirement.specifier.contains(torch, prereleases=True):
            yield Finding(
                "error",
                f"torchvision {torchvision} needs torch{requirement.specifier}, found {torch}: "
                "`pip install --requirement requirements.lock`",
            )
            return
    others = ", ".join(f"{package} {version(package)}" for package in ("dvc", "mlflow", "numpy"))
    yield Finding("ok", f"torch {torch} with torchvision {torchvision}, {others}")


def _device() -> Iterator[Finding]:
    try:
        import torch
        import torchvision  # noqa: F401, which fails beside another torch than its own

        from reprolab.data.parts import SplitInfo
        from reprolab.models.classifier import Classifier
        from reprolab.training.device import choose_device
    except (ImportError, OSError, RuntimeError) as error:
        yield Finding("error", f"torch and torchvision cannot be imported ({error}): remove .venv and `make install`")
        return
    many = {"train": 10**12}  # as for a training that is not small, which takes all that the device has
    data = SplitInfo(dataset="", provenance="", classes=[], shape=[1], mean=[], std=[], sizes=many, sha256={})
    try:
        device = choose_device(Classifier(torch.nn.Linear(1, 1), [0.0], [1.0]), data)
    except InputError as error:
        yield Finding("error", str(error))
        return
    yield Finding("ok", f"device {device}; float32 and one thread for a small training")
    if device.name == "cpu" and shutil.which("nvidia-smi") and not os.environ.get("REPROLAB_DEVICE"):
        yield Finding(
            "note",
            f"an NVIDIA driver is here, but torch {torch.__version__} sees no GPU: install a build of torch for its "
            "CUDA version (https://pytorch.org/get-started/locally)",
        )


def _shell() -> Iterator[Finding]:
    shell = os.environ.get("SHELL") or "/bin/sh"
    if Path(shell).name in OTHER_SHELLS or not os.access(shell, os.X_OK):
        yield Finding("error", f"dvc runs its commands by SHELL, which is {shell}: `export SHELL=/bin/bash`")


def _user() -> Iterator[Finding]:
    try:
        getuser()
    except (KeyError, OSError):
        yield Finding(
            "error", f"the system has no name for user {os.getuid()}, and dvc asks for it: `export LOGNAME=me`"
        )
    try:
        home = Path.home()
    except RuntimeError:
        yield Finding("error", "you have no home folder, which dvc asks for: `export HOME=/tmp`")
        return
    if not os.access(home, os.W_OK):
        yield Finding("note", f"HOME, {home}, cannot be written, so PyTorch and Matplotlib keep no cache there")


def _space() -> Iterator[Finding]:
    try:
        folders = {Path(), Path(tempfile.gettempdir())}
    except FileNotFoundError:
        yield Finding("error", "there is no folder for temporary files: set TMPDIR to one that can be written")
        return
    for folder in map(Path.resolve, folders):
        free = shutil.disk_usage(folder).free / GIGABYTE
        if free < WANTED_GIGABYTES:
            yield Finding(
                "error" if free < NEEDED_GIGABYTES else "note",
                f"{folder} has {free:.1f} GB left: CIFAR-10 and its networks want {WANTED_GIGABYTES}; `reprolab prune` "
                "and `dvc gc --workspace` make room",
            )


def _locale() -> Iterator[Finding]:
    encoding = locale.getencoding()
    if encoding.upper().replace("-", "") != "UTF8":
        yield Finding(
            "note",
            f"the locale's encoding is {encoding}: reprolab writes UTF-8 all the same, but a terminal may show signs "
            "wrongly, and dvc may fail on them: `export LC_ALL=C.UTF-8`",
        )


LOOKS = (_python, _packages, _device, _shell, _user, _space, _locale)

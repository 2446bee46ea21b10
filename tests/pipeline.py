"""A private copy of the repository in which the real DVC runs the real stages."""

import io
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from ruamel.yaml import YAML

from reprolab.cli.main import main
from tests.factories import REPOSITORY
from tests.warm import warm_commands

# Of all a hundred stages DVC would need a second each time.
KEPT = {
    "datasets": ["digits", "digits100", "mnist", "cifar10"],
    "comparisons": ["digits", "pretraining"],
    "experiments": [
        *("digits-mlp", "digits-lenet5", "digits100-scratch", "digits100-finetuned", "digits100-frozen"),
        *("lenet5-relu", "vgg16", "alexnet-pretrained"),
    ],
    "studies": [],
    "contrasts": [],
}
DATA_STAGES = {"download@digits", "split@digits"}
TRAININGS = {"train@digits-mlp", "train@digits-lenet5"}
EVALUATIONS = {"evaluate@digits-mlp", "evaluate@digits-lenet5"}
MLP_STAGES = {"train@digits-mlp", "evaluate@digits-mlp"}
COMPARISON = {"compare@digits"}
ALL_STAGES = DATA_STAGES | TRAININGS | EVALUATIONS | COMPARISON
LEARNING_RATE = "experiments.digits-mlp.training.optimizer.lr"
Finished = subprocess.CompletedProcess[str]


class Pipeline:
    """A git and DVC repository with the working tree's files and few of its experiments, whose trainings on digits are
    made short. A folder that is a repository already stays as it is.

    MLflow shows its runs where a `view` is asked for, which takes seconds a stage.
    """

    def __init__(self, root: Path, view: bool = False) -> None:
        self.root, self.view = root, view
        if not (root / ".git").exists():
            self._fill()

    def _fill(self) -> None:
        root = self.root
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=REPOSITORY,
            check=True,
            capture_output=True,
            text=True,
        )
        for name in listed.stdout.split("\0"):
            if name and (REPOSITORY / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(REPOSITORY / name, root / name)
        # As in a clone of a repository in which nothing has been run yet.
        for made in ("dvc.lock", "metrics"):
            shutil.rmtree(root / made, ignore_errors=True)
            (root / made).unlink(missing_ok=True)
        self._keep_few_stages()
        for name in ("digits-mlp", "digits-lenet5"):
            self.set(f"experiments.{name}.training.epochs", 2)
            self.set(f"experiments.{name}.training.seeds", [0])
        self.run("git", "init", "-q", "-b", "main")
        self.run("git", "config", "user.email", "tests@example.org")
        self.run("git", "config", "user.name", "tests")
        self.commit("start")

    def _keep_few_stages(self) -> None:
        yaml, path = YAML(), self.root / "params.yaml"
        params = yaml.load(path)
        kept = {section: {name: entries[name] for name in KEPT.get(section, [])} for section, entries in params.items()}
        yaml.dump(kept, path)

    def copy(self, root: Path, view: bool = False) -> "Pipeline":
        """With all that was run in it."""
        shutil.copytree(self.root, root, symlinks=True)
        return Pipeline(root, view)

    def run(self, *command: str, check: bool = True, **environment: str) -> Finished:
        """Run a command as a user would in an activated environment; its output is one text."""
        found = subprocess.run(
            command,
            cwd=self.root,
            env=self._started_at_once(self.environment(**environment)),
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert not check or found.returncode == 0, found.stdout
        return found

    @staticmethod
    def _started_at_once(environment: dict[str, str]) -> dict[str, str]:
        folder = warm_commands()
        return environment | ({"PATH": f"{folder}{os.pathsep}{environment['PATH']}"} if folder else {})

    def reprolab(self, *arguments: str, check: bool = True) -> Finished:
        """Run the command in this process, which has imported already what takes seconds. The code is that of the
        working tree, whatever is edited in the copy."""
        return self._here(["reprolab", *arguments], main, check)

    def stage(self, name: str, *arguments: str, check: bool = True) -> Finished:
        """Run a stage's script in this process, as `reprolab`."""
        script = str(REPOSITORY / "stages" / f"{name}.py")
        return self._here([script, *arguments], lambda: runpy.run_path(script, run_name="__main__"), check)

    def _here(self, command: list[str], action: Callable[[], object], check: bool) -> Finished:
        printed, handler = io.StringIO(), signal.getsignal(signal.SIGTERM)
        try:
            with (
                pytest.raises(SystemExit) as ended,
                chdir(self.root),
                redirect_stdout(printed),
                redirect_stderr(printed),
                patch("sys.argv", command),
                patch.dict(os.environ),
            ):
                action()
        finally:
            signal.signal(signal.SIGTERM, handler)
        code = int(ended.value.code or 0)
        assert not check or code == 0, printed.getvalue()
        return Finished(command, code, printed.getvalue())

    def environment(self, **more: str) -> dict[str, str]:
        private = {
            name: value for name, value in os.environ.items() if not name.startswith(("REPROLAB", "DVC", "MLFLOW"))
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return (
            private
            | {
                "PATH": path,
                "DVC_NO_ANALYTICS": "1",
                "REPROLAB_DEVICE": "cpu",
                "REPROLAB_VIEW": "on" if self.view else "off",
            }
            | more
        )

    def repro(self, *arguments: str) -> set[str]:
        """The stages that `dvc repro` ran, not counting those that it found in its cache."""
        return set(re.findall(r"Running stage '(.+)'", self.run("dvc", "repro", *arguments).stdout))

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "-q", "-m", message)

    @contextmanager
    def edited(self, path: str, old: str, new: str) -> Iterator[None]:
        """Replace a text in a file for as long as the block lasts."""
        file = self.root / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        try:
            yield
        finally:
            file.write_text(text)

    def set(self, key: str, value: Any) -> Any:
        """Change one value of params.yaml, keeping the rest of the text's meaning; the former value comes back.

        None stands for a key that is not there.
        """
        yaml, path = YAML(), self.root / "params.yaml"
        yaml.width = 1000
        params = yaml.load(path)
        *sections, last = key.split(".")
        section = params
        for name in sections:
            section = section[name]
        former = section.get(last)
        if value is None:
            del section[last]
        else:
            section[last] = value
        yaml.dump(params, path)
        return former


def epochs_of(printed: str) -> list[int]:
    """The epochs that a training printed."""
    return [int(number) for number in re.findall(r"epoch (\d+):", printed)]

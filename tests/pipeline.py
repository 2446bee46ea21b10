"""A private copy of the repository in which the real DVC runs the real stages."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.factories import REPOSITORY


class Pipeline:
    """A git and DVC repository with the working tree's files, whose trainings on digits are made short.

    MLflow shows its runs where a `view` is asked for, which takes seconds a stage.
    """

    def __init__(self, root: Path, view: bool = False) -> None:
        self.root, self.view = root, view
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
        for name in ("digits-mlp", "digits-lenet5"):
            self.set(f"experiments.{name}.training.epochs", 2)
            self.set(f"experiments.{name}.training.seeds", [0])
        self.run("git", "init", "-q", "-b", "main")
        self.run("git", "config", "user.email", "tests@example.org")
        self.run("git", "config", "user.name", "tests")
        self.commit("start")

    def run(self, *command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a user would in an activated environment; its output is one text."""
        found = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment(**environment),
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert not check or found.returncode == 0, found.stdout
        return found

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

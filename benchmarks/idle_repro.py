"""How long `dvc repro` takes with nothing to do, for the committed pipeline as a whole.

A clone gets a placeholder for each output that is not in git, and DVC records these as the results. Machines differ,
so the time stands beside that of the same command in an empty repository. `make bench` runs it; nothing is trained.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from dvc.repo import Repo

REPOSITORY = Path(__file__).parents[1]
FILES_A_FOLDER = 6
ROUNDS = 5


def place_outputs(clone: Path) -> int:
    """Write what the stages would; their number comes back."""
    with Repo(str(clone)) as repo:
        stages = list(repo.index.stages)
        outs = [Path(out.fs_path) for stage in stages for out in stage.outs]
    for out in outs:
        if out.exists():
            continue
        folder = not out.suffix
        for path in [out / f"{n}.json" for n in range(FILES_A_FOLDER)] if folder else [out]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f'{{"placeholder": "{path.relative_to(clone)}"}}\n')
    return len(stages)


def dvc(folder: Path, *command: str) -> bytes:
    return subprocess.run([sys.executable, "-m", "dvc", *command], cwd=folder, check=True, capture_output=True).stdout


def seconds_to_repro(folder: Path) -> float:
    """The shortest of some rounds, which noise disturbs least."""
    found = []
    for _ in range(ROUNDS):
        start = perf_counter()
        told = dvc(folder, "repro")
        found.append(perf_counter() - start)
        assert b"Running stage" not in told, "the placeholders do not stand for every output"
    return min(found)


def main() -> None:
    os.environ["DVC_NO_ANALYTICS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        clone, empty = Path(folder) / "clone", Path(folder) / "empty"
        subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)], check=True)
        stages = place_outputs(clone)
        dvc(clone, "commit", "--force")
        empty.mkdir()
        dvc(empty, "init", "--no-scm")
        (empty / "dvc.yaml").write_text("stages: {}\n")
        idle, bare = seconds_to_repro(clone), seconds_to_repro(empty)
    print(f"{stages} stages, none to run: {idle:.1f} s, {idle / bare:.1f} times the {bare:.1f} s without any stage")


if __name__ == "__main__":
    main()

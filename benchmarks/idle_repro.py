"""How long `dvc repro` takes with nothing to do, for the committed pipeline as a whole.

A clone gets a placeholder for each output that is not in git, and DVC records these as the results. Machines differ,
so the time stands beside that of DVC's own start in the same run. `make bench` runs it; nothing is trained.
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


def seconds(clone: Path, *command: str) -> float:
    """The shortest of some rounds, which noise disturbs least."""
    found = []
    for _ in range(ROUNDS):
        start = perf_counter()
        result = subprocess.run([sys.executable, "-m", "dvc", *command], cwd=clone, check=True, capture_output=True)
        found.append(perf_counter() - start)
        assert b"Running stage" not in result.stdout, "the placeholders do not stand for every output"
    return min(found)


def main() -> None:
    os.environ["DVC_NO_ANALYTICS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)], check=True)
        stages = place_outputs(clone)
        subprocess.run([sys.executable, "-m", "dvc", "commit", "--force", "--quiet"], cwd=clone, check=True)
        start, idle = seconds(clone, "--version"), seconds(clone, "repro")
    print(f"{stages} stages, none to run: {idle:.1f} s, {idle / start:.1f} times the {start:.1f} s in which DVC starts")


if __name__ == "__main__":
    main()

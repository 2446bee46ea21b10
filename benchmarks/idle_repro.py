"""How long `dvc repro` takes with nothing to do, for the committed pipeline as a whole.

A clone gets a placeholder for each output that is not in git, and DVC records these as the results; nothing is
trained. Machines differ and are noisy, so the time stands beside that of the same command in an empty repository and,
where an earlier revision is named, in a clone of that one; all are timed in turn. `make bench` runs it.
"""

import argparse
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


def commit_of(revision: str) -> str:
    command = ["git", "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"]
    found = subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True, text=True)
    if found.returncode:
        sys.exit(f"error: {revision} is no revision of this repository")
    return found.stdout.strip()


def clone_with_results(commit: str, clone: Path) -> int:
    """A clone in which nothing is to do; the number of its stages comes back."""
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)], check=True)
    subprocess.run(["git", "checkout", "--quiet", "--detach", commit], cwd=clone, check=True)
    with Repo(str(clone)) as repo:
        stages = list(repo.index.stages)
        outs = [Path(out.fs_path) for stage in stages for out in stage.outs]
    for out in outs:
        if out.exists():
            continue
        folder = not out.suffix
        for path in [out / f"{n}.json" for n in range(FILES_A_FOLDER)] if folder else [out]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f'{{"placeholder": "{path.relative_to(clone)}"}}\n', encoding="utf-8")
    dvc(clone, "commit", "--force")
    return len(stages)


def dvc(folder: Path, *command: str) -> bytes:
    return subprocess.run([sys.executable, "-m", "dvc", *command], cwd=folder, check=True, capture_output=True).stdout


def seconds_to_repro(folder: Path) -> float:
    start = perf_counter()
    output = dvc(folder, "repro")
    seconds = perf_counter() - start
    assert b"Running stage" not in output, "the placeholders do not stand for every output"
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", metavar="REVISION", help="an earlier revision to compare with")
    arguments = parser.parse_args()
    os.environ["DVC_NO_ANALYTICS"] = "1"
    revisions = dict.fromkeys(["HEAD", *([arguments.base] if arguments.base else [])])
    with tempfile.TemporaryDirectory() as temporary:
        folders = {name: Path(temporary) / f"clone-{number}" for number, name in enumerate(revisions)}
        stages = {name: clone_with_results(commit_of(name), folder) for name, folder in folders.items()}
        empty = Path(temporary) / "empty"
        empty.mkdir()
        dvc(empty, "init", "--no-scm")
        (empty / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
        # The shortest of some rounds, which noise disturbs least.
        rounds = [{folder: seconds_to_repro(folder) for folder in [*folders.values(), empty]} for _ in range(ROUNDS)]
    shortest = {folder: min(seconds[folder] for seconds in rounds) for folder in rounds[0]}
    bare = shortest[empty]
    for name, folder in folders.items():
        idle = shortest[folder]
        print(
            f"{name}: {stages[name]} stages, none to run: {idle:.1f} s, "
            f"{idle / bare:.1f} times the {bare:.1f} s without any"
        )
    if arguments.base:
        print(
            f"HEAD takes {shortest[folders['HEAD']] / shortest[folders[arguments.base]]:.2f} of {arguments.base}'s time"
        )


if __name__ == "__main__":
    main()

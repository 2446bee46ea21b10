"""How long the grid of 243 fits takes from nothing: `dvc repro study@mnist900-grid`, with MLflow's view, in a clone.

With one process, with as many as there are cores, and again with every training known; the table of trials has the same
bytes each time. `make bench` runs it.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from time import perf_counter

REPOSITORY = Path(__file__).parents[1]
NAME = "mnist900-grid"
LEFT = ("metrics/study", ".reprolab/trainings", ".dvc/cache/runs")


def run(*command: str, clone: Path, **environment: str) -> None:
    subprocess.run(command, cwd=clone, env=os.environ | environment, check=True, stdout=subprocess.DEVNULL)


def seconds(clone: Path, **environment: str) -> float:
    start = perf_counter()
    run("dvc", "repro", "--force", "--single-item", f"study@{NAME}", clone=clone, **environment)
    return perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # the view may still write
        clone = Path(folder) / "clone"
        run("git", "clone", "--quiet", str(REPOSITORY), str(clone), clone=REPOSITORY)
        run("dvc", "repro", "split@mnist900", clone=clone)
        tables = set()
        for _ in range(arguments.rounds):
            for what, jobs in (("one process", {"REPROLAB_JOBS": "1"}), ("a process a core", {}), ("all known", {})):
                if what != "all known":
                    for name in LEFT:
                        shutil.rmtree(clone / name, ignore_errors=True)
                print(f"{what}: {seconds(clone, **jobs):.1f} s", flush=True)
                tables.add((clone / "metrics" / "study" / f"{NAME}.csv").read_bytes())
        print(f"the table of trials: {'the same bytes each time' if len(tables) == 1 else 'NOT the same'}")


if __name__ == "__main__":
    main()

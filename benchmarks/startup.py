"""How long a stage takes before and around its work: `train` up to its first step, and `evaluate` as a whole.

Both run in a clone with MNIST's split, on LeNet-5, in turn with `import torch`, without which neither can be: a number
of times that is what a machine cannot change. `make bench` runs it.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from tracking import SPLIT, clone_with_mnist, run

NAME = "lenet5-classic"
MODEL, METRICS = "out/model", "out/metrics"
TRAIN = ("stages/train.py", NAME, SPLIT, "models/random", MODEL, METRICS)
EVALUATE = ("stages/evaluate.py", SPLIT, MODEL, METRICS, "out/figures")
# Ends the process at the first step of any optimizer.
TO_THE_FIRST_STEP = """
import os, runpy, sys
from torch.optim.optimizer import register_optimizer_step_pre_hook
register_optimizer_step_pre_hook(lambda *_: os._exit(0))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
sys.exit("it took no step")
"""
MEASURED = {
    "import torch": ("-c", "import torch"),
    f"train {NAME}, to its first step": ("-c", TO_THE_FIRST_STEP, *TRAIN),
    f"evaluate {NAME}": EVALUATE,
}


def seconds(clone: Path, command: tuple[str, ...]) -> float:
    start = perf_counter()
    run(sys.executable, *command, folder=clone, PYTHONPATH="src", REPROLAB_FRESH="1")
    return perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        clone = clone_with_mnist(Path(temporary), NAME, epochs=1)
        run(sys.executable, *TRAIN, folder=clone, PYTHONPATH="src")
        rounds = [
            {what: seconds(clone, command) for what, command in MEASURED.items()} for _ in range(arguments.rounds)
        ]
    bare = [measured["import torch"] for measured in rounds]
    for what in MEASURED:
        # The shortest, which noise disturbs least.
        shortest = min(measured[what] for measured in rounds)
        print(f"{what}: {shortest:.1f} s, {shortest / min(bare):.1f} times an import of PyTorch")


if __name__ == "__main__":
    main()

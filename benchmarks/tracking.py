"""What MLflow costs a training: 20 epochs of LeNet-5, with the live view and without.

The same stage is run in turn with `REPROLAB_VIEW=off` and with the view on, each time as a new training, in a clone
with MNIST's split. The promise is 2 % and 2 s at most. `make bench` runs it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

REPOSITORY = Path(__file__).parents[1]
EPOCHS, NAME = 20, "lenet5-relu"


def run(*command: str, folder: Path, **environment: str) -> None:
    subprocess.run(command, cwd=folder, env=os.environ | environment, check=True, stdout=subprocess.DEVNULL)


def seconds(clone: Path, view: str) -> float:
    # As DVC runs it, and anew each time.
    command = [
        "stages/train.py",
        NAME,
        "data/splits/mnist",
        "models/random",
        f"{clone}/out/model",
        f"{clone}/out/metrics",
    ]
    start = perf_counter()
    run(sys.executable, *command, folder=clone, PYTHONPATH="src", REPROLAB_VIEW=view, REPROLAB_FRESH="1")
    return perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    os.environ |= {"DVC_NO_ANALYTICS": "1"}
    with tempfile.TemporaryDirectory() as temporary:
        clone = Path(temporary) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)], check=True)
        from ruamel.yaml import YAML

        yaml = YAML()
        params = yaml.load(clone / "params.yaml")
        params["experiments"][NAME]["training"] |= {"epochs": EPOCHS, "seeds": [0]}
        yaml.dump(params, clone / "params.yaml")
        for stage, source, target in (("download", "mnist", "data/raw/mnist"), ("split", "mnist", "data/splits/mnist")):
            paths = [target] if stage == "download" else ["data/raw/mnist", target]
            run(sys.executable, f"stages/{stage}.py", source, *paths, folder=clone, PYTHONPATH="src")
        without, with_view = [], []
        for _ in range(arguments.rounds):
            without.append(seconds(clone, "off"))
            with_view.append(seconds(clone, "on"))
            print(f"without {without[-1]:.1f} s, with {with_view[-1]:.1f} s", flush=True)
    # The shortest, which noise disturbs least.
    cost = min(with_view) - min(without)
    allowed = 0.02 * min(without) + 2
    bare = f"{EPOCHS} epochs of {NAME}: {min(without):.1f} s without MLflow"
    print(f"{bare}, {cost:+.1f} s with it ({allowed:.1f} s allowed)")
    sys.exit(cost > allowed)


if __name__ == "__main__":
    main()

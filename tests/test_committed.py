"""The committed results: none is older than the code, the parameters and the files in git that it is made from."""

import pytest

from reprolab.cli.stages import Pipeline, Stage
from reprolab.core.git import git
from tests.factories import REPOSITORY

IN_GIT = ("metrics/", "figures/data/", "data/baselines.csv", "models/random", "models/imagenet")


@pytest.fixture(scope="module")
def stages() -> list[Stage]:
    """Those that have run, beside `dvc.lock`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        if git("status", "--porcelain"):
            pytest.skip("the tree has edits: only what is committed is claimed to be current")
        with Pipeline() as pipeline:
            return [stage for stage in map(pipeline.stage, pipeline.names) if stage.has_result]


def test_no_result_is_older_than_its_code_and_parameters(stages: list[Stage]) -> None:
    stale = {}
    for stage in stages:
        # Data are not in git: whether they are the same is seen where they are.
        here = [found for found in stage.inputs if found.is_code or found.path.startswith(IN_GIT)]
        changes = [found.path for found in here if found.old != found.new]
        changes += [change.key for change in stage.parameters] + ([stage.command] if stage.command else [])
        changes += [path for path in stage.faults if path.startswith(IN_GIT) and not path.endswith(".md")]
        if changes:
            stale[stage.name] = changes
    assert not stale, "run `dvc repro` and commit what it writes"

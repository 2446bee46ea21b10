"""The network of the speed runs: what its first batch gives it, and what it makes of an image and its mirror image."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from reprolab.architectures.speedrun import Whitening, build

WIDTHS = [8, 8, 8]


def images(seed: int, count: int = 64) -> torch.Tensor:
    """Smooth ones in colour, whose neighbouring pixels and channels go together."""
    noise = torch.randn(count, 1, 20, 20, generator=torch.Generator().manual_seed(seed))
    own = torch.randn(count, 3, 20, 20, generator=torch.Generator().manual_seed(seed + 1))
    return F.avg_pool2d(noise + own, 3, 1)


def network(**options: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    return build((3, 18, 18), 10, widths=WIDTHS, **options)


def test_the_first_batch_makes_patches_white() -> None:
    whitening = Whitening(3)
    batch = images(0)
    found = whitening(batch).detach()
    components, opposites = found.transpose(0, 1).flatten(1).chunk(2)
    assert torch.allclose(components, -opposites)
    assert torch.allclose(components @ components.T / components.shape[1], torch.eye(12), atol=0.02)


def test_only_the_first_training_batch_counts() -> None:
    trained = network()
    before = copy.deepcopy(trained.state_dict())
    trained.eval()(images(0))
    assert all(torch.equal(value, before[name]) for name, value in trained.state_dict().items())
    trained.train()(images(1))
    first = trained.get_submodule("0").weight.clone()  # type: ignore[operator]
    assert not torch.equal(first, before["0.weight"])
    trained(images(2))
    again = network()
    again.load_state_dict(trained.state_dict())
    again.train()(images(3))
    for one in (trained, again):
        assert torch.equal(one.get_submodule("0").weight, first)  # type: ignore[arg-type]


def test_a_flat_image_is_not_divided_by_zero() -> None:
    trained = network()
    assert trained(torch.zeros(4, 3, 18, 18)).isfinite().all()


@pytest.mark.parametrize("mirrored", [False, True])
def test_evaluation_may_average_an_image_and_its_mirror_image(mirrored: bool) -> None:
    trained = network(mirrored_evaluation=mirrored)
    trained(images(0))
    batch = images(1)
    assert not torch.allclose(trained(batch), trained(batch.flip(3)), atol=1e-4)  # in training it never does
    trained.eval()
    assert torch.allclose(trained(batch), trained(batch.flip(3)), atol=1e-6) == mirrored

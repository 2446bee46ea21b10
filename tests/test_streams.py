"""Random streams: independent of each other, and the same each time."""

from itertools import product

import pytest
import torch

from reprolab.data.streams import KEYS, generator, stream

FIRST, LAST = 0, 2**31 - 1  # of the seeds


def test_seed_purpose_and_number_each_tell_streams_apart() -> None:
    assert stream(0, "shuffling", 1) == stream(0, "shuffling", 1)
    found = [stream(0, "shuffling", 1), stream(1, "shuffling", 1), stream(0, "dropout", 1), stream(0, "shuffling", 2)]
    assert len(set(found)) == len(found)


def test_neighbours_do_not_collide() -> None:
    seeds = [*range(20), *range(LAST - 19, LAST + 1)]
    numbers = range(30)
    found = {stream(*key) for key in product(seeds, KEYS, numbers)}
    assert len(found) == len(seeds) * len(KEYS) * len(numbers)
    assert all(0 <= value < 2**32 for value in found)


def test_an_epoch_of_one_seed_is_no_other_s_initialisation() -> None:
    epochs = {stream(0, purpose, number) for purpose in KEYS for number in range(1, 500)}
    starts = {stream(seed, "initialisation") for seed in range(500)}
    assert not epochs & starts


def test_every_purpose_has_a_key_of_its_own() -> None:
    assert len(set(KEYS.values())) == len(KEYS)


@pytest.mark.parametrize("seed", [FIRST, LAST])
def test_a_generator_repeats_and_is_its_own(seed: int) -> None:
    state = torch.random.get_rng_state()
    one, again, other = (generator(seed, "augmentation", number) for number in (3, 3, 4))
    drawn = torch.rand(100, generator=one)
    assert torch.equal(drawn, torch.rand(100, generator=again))
    assert not torch.equal(drawn, torch.rand(100, generator=other))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_neighbouring_streams_share_no_numbers() -> None:
    drawn = [set(torch.randint(2**62, (1000,), generator=generator(0, "shuffling", n)).tolist()) for n in range(1, 4)]
    assert len(set.union(*drawn)) == 3000


def test_streams_are_those_that_results_were_made_with() -> None:
    assert [stream(seed, "shuffling", 1) for seed in (FIRST, 1, LAST)] == [1663335698, 1451639359, 3422285611]

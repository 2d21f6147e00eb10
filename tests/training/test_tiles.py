"""Steps of an epoch: which tile is encoded, and which of its patches are decoded."""

import warnings
from collections import Counter

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from phyvae.training.tiles import SiteSampler, TileSampler, sampler_of, steps_over
from sites import series, with_hole, without_lattice

shapes = st.tuples(st.integers(1, 40), st.integers(1, 40))


def decoded(step):
    return step.tile[step.batch].tolist()


class TestEveryStep:
    @given(shape=shapes, batch_size=st.integers(1, 50), tile=st.integers(2, 50))
    @settings(max_examples=60, deadline=None)
    def test_tiles_are_rectangles_within_the_grid_and_batches_are_distinct(
        self, shape, batch_size, tile
    ):
        for step in steps_over([TileSampler(shape, batch_size, tile)], 3):
            row, col = step.tile // shape[1], step.tile % shape[1]
            assert (row.max() - row.min() + 1, col.max() - col.min() + 1) == step.layout.shape
            assert (
                len(set(step.tile.tolist()))
                == len(step.tile)
                == step.layout.shape[0] * step.layout.shape[1]
            )
            assert max(step.layout.shape) <= tile
            assert row.max() < shape[0]
            assert len(set(decoded(step))) == len(step.batch)
            assert len(step.batch) == min(batch_size, len(step.tile))

    def test_a_grid_that_fits_is_encoded_whole_and_in_order(self):
        for step in steps_over([TileSampler((7, 9), batch_size=10)], 0):
            assert step.layout.shape == (7, 9)
            assert step.tile.tolist() == list(range(63))


class TestAnEpoch:
    def test_every_patch_is_decoded_once(self):
        steps = list(steps_over([TileSampler((10, 10), batch_size=20)], 0))
        counts = Counter(i for step in steps for i in decoded(step))
        assert counts == dict.fromkeys(range(100), 1)

    def test_patches_are_as_many_as_the_grid_has_to_the_nearest_batch(self):
        steps = list(steps_over([TileSampler((48, 48), batch_size=100)], 0))
        assert len(steps) == 23
        counts = Counter(i for step in steps for i in decoded(step))
        assert max(counts.values()) == 1

    @given(shape=shapes, steps=st.integers(1, 30) | st.none(), ranks=st.integers(1, 5))
    @settings(max_examples=40, deadline=None)
    def test_processes_share_it_equally(self, shape, steps, ranks):
        sampler = TileSampler(shape, batch_size=20, tile=16)
        shares = [list(steps_over([sampler], 3, steps, rank=r, ranks=ranks)) for r in range(ranks)]
        wanted = sampler.steps_per_epoch() if steps is None else steps
        assert {len(share) for share in shares} == {-(-wanted // ranks)}
        together = [step for several in zip(*shares, strict=True) for step in several]
        alone = steps_over([sampler], 3, len(together))
        assert list(map(decoded, together)) == list(map(decoded, alone))

    def test_tiles_cover_a_large_grid_evenly(self):
        sampler = TileSampler((24, 24), batch_size=20, tile=16)
        counts = Counter(
            i for s in range(200) for step in steps_over([sampler], s) for i in decoded(step)
        )
        mean = sum(counts.values()) / (24 * 24)
        assert len(counts) == 24 * 24
        # 200 epochs: each patch is decoded about 200 times, wherever it lies.
        assert min(counts.values()) > 0.8 * mean
        assert max(counts.values()) < 1.2 * mean

    def test_cuts_move_from_epoch_to_epoch(self):
        sampler = TileSampler((50, 50), batch_size=20, tile=16)
        corners = {int(step.tile[0]) for seed in range(20) for step in steps_over([sampler], seed)}
        assert len(corners) > 100

    def test_the_number_of_steps_may_be_chosen(self):
        sampler = TileSampler((10, 10), batch_size=20)
        assert len(list(steps_over([sampler], 0, steps=3))) == 3
        assert len(list(steps_over([sampler], 0, steps=12))) == 12

    def test_the_same_seed_draws_the_same_steps(self):
        sampler = TileSampler((30, 30), batch_size=20, tile=16)
        a, b, c = ([decoded(s) for s in steps_over([sampler], seed)] for seed in (5, 5, 6))
        assert a == b != c

    def test_the_global_random_state_is_left_alone(self):
        before = torch.get_rng_state()
        list(steps_over([TileSampler((30, 30), tile=16)], 0))
        assert torch.equal(torch.get_rng_state(), before)


class TestSites:
    """Positions of a tile through which the physics trains the encoder."""

    def test_are_the_batch_and_others(self):
        for step in steps_over([TileSampler((10, 12), batch_size=8, sites=20)], 0):
            assert step.sites is not None
            assert torch.equal(step.sites[:8], step.batch)
            assert len(step.sites.unique()) == 20
            assert step.sites.max() < 120

    def test_are_no_fewer_than_the_batch(self):
        for step in steps_over([TileSampler((10, 12), batch_size=30, sites=20)], 0):
            assert step.sites is not None
            assert torch.equal(step.sites, step.batch)

    def test_are_all_where_there_are_no_more(self):
        for sites in (None, 120, 500):
            steps = steps_over([TileSampler((10, 12), batch_size=8, sites=sites)], 0)
            assert all(step.sites is None for step in steps)

    def test_draw_every_position_alike(self):
        sampler = TileSampler((6, 6), batch_size=6, sites=12)
        steps = [step for seed in range(300) for step in steps_over([sampler], seed)]
        counts = torch.stack([torch.bincount(step.sites, minlength=36) for step in steps]).sum(0)
        assert (counts / len(steps) - 12 / 36).abs().max() < 0.05


class TestHoles:
    @given(seed=st.integers(0, 99), tile=st.integers(2, 9), sites=st.integers(1, 90))
    @settings(max_examples=20, deadline=None)
    def test_every_patch_has_the_same_chance(self, seed, tile, sites):
        mask = torch.rand(9, 7, generator=torch.Generator().manual_seed(seed)) < 0.6
        filled = set(mask.flatten().nonzero()[:, 0].tolist())
        sampler = TileSampler((9, 7), 5, tile, sites, mask)
        for step in steps_over([sampler], seed):
            assert set(step.tile.tolist()) <= filled
            assert len(step.batch) > 0
            assert step.layout.mask is None or int(step.layout.mask.sum()) == len(step.tile)
            row, col = step.tile // 7, step.tile % 7
            maps = step.layout.maps(torch.stack([row, col], dim=1).float())
            inside = maps if step.layout.mask is None else maps[:, step.layout.mask]
            assert torch.equal(inside.flatten(1), torch.stack([row, col]).float())
        drawn = Counter(
            index
            for epoch in range(20)
            for step in steps_over([sampler], epoch)
            for index in step.tile[step.batch].tolist()
        )
        assert set(drawn) == filled

    def test_a_map_with_a_hole_can_still_be_all_one_tile(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            grid = with_hole()
            step = next(steps_over([sampler_of(grid, 10, 64, 20)], 0))
        assert len(step.tile) == grid.count
        assert len(step.sites) == 20


class TestSitesWithoutALattice:
    def test_tiles_are_boxes_that_part_the_sites(self):
        grid = without_lattice()
        sampler = sampler_of(grid, batch_size=10, tile=5, sites=None)
        assert isinstance(sampler, SiteSampler)
        tiles = sampler._tiles(torch.Generator().manual_seed(0))
        assert max(map(len, tiles)) <= 25
        assert sorted(torch.cat(list(tiles)).tolist()) == list(range(90))
        for step in steps_over([sampler], 1):
            assert step.layout.shape == (1, len(step.tile))
            assert_close(step.layout.graph.sites, grid.graph.sites[step.tile])

    def test_a_graph_of_all_is_the_grids_own(self):
        grid = without_lattice()
        step = next(steps_over([sampler_of(grid, 10, 64, None)], 0))
        assert_close(step.layout.graph.sites, grid.graph.sites)
        assert torch.equal(step.layout.graph.edges, grid.graph.edges)


class TestSeries:
    def test_an_epoch_decodes_each_patch_of_each_image_about_once(self):
        grids = series()
        samplers = [sampler_of(grid, 10, 64, None) for grid in grids]
        steps = list(steps_over(samplers, seed=3))
        counts = Counter(step.grid for step in steps)
        assert counts == {i: round(len(grid) / 10) for i, grid in enumerate(grids)}
        assert [step.grid for step in steps] != sorted(step.grid for step in steps)
        for step in steps:
            assert step.layout.shape == grids[step.grid].shape

    def test_two_processes_share_the_steps(self):
        samplers = [sampler_of(grid, 10, 64, None) for grid in series()]
        whole = [step.batch.tolist() for step in steps_over(samplers, 3, 12)]
        parts = [
            [step.batch.tolist() for step in steps_over(samplers, 3, 12, rank=rank, ranks=2)]
            for rank in (0, 1)
        ]
        assert whole[::2] == parts[0]
        assert whole[1::2] == parts[1]

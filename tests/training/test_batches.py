"""Training on what is no full raster: sites with holes or without a lattice, several images."""

import warnings
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

import phyvae
from phyvae import PatchGrid, PhysicsObjective, PhysicsTrainer, ShiftVAE, TotalVariation
from phyvae.patches.known import Patches
from phyvae.patches.layout import Layout
from phyvae.training.grids import grids_to_encode
from phyvae.training.tiles import SiteSampler, TileSampler, sampler_of, steps_over

pytestmark = pytest.mark.filterwarnings("ignore::phyvae.CollapsedMapsWarning")
SIZE = 8
PHANTOM = phyvae.phantoms.bfo((120, 110), 9.0, seed=1)


def on_sites(keep: slice = slice(None), **settings: object) -> PatchGrid:
    y, x = np.meshgrid(np.arange(12.0, 110, 9), np.arange(12.0, 100, 9), indexing="ij")
    sites = np.stack([y, x], axis=-1).reshape(-1, 2)[keep]
    return PatchGrid.at(PHANTOM.image, sites, SIZE, **settings)


def with_hole() -> PatchGrid:
    grid = on_sites()
    there = np.delete(np.arange(len(grid)), [13, 14, 40])
    return PatchGrid.at(PHANTOM.image, grid.centers.reshape(-1, 2)[there], SIZE)


def small() -> ShiftVAE:
    return ShiftVAE((SIZE, SIZE), hidden_dim_e=(6, 5), hidden_dim_d=(6, 5))


def trained(
    grid: PatchGrid | list[PatchGrid], objective: PhysicsObjective | None = None, **settings
):
    trainer = PhysicsTrainer(
        small(), objective or PhysicsObjective(TotalVariation()), batch_size=20, **settings
    )
    trainer.fit(grid, 2, progress=False)
    return trainer


class TestHoles:
    def test_sites_that_fill_a_raster_train_as_the_raster_does(self):
        raster = PatchGrid(PHANTOM.image, size=SIZE, step=9)
        sites = PatchGrid.at(PHANTOM.image, raster.centers.reshape(-1, 2), SIZE)
        assert sites.shape == raster.shape
        assert torch.equal(sites.patches, raster.patches)
        one, other = trained(raster).model, trained(sites).model
        assert_close(one.state_dict(), other.state_dict(), rtol=0, atol=0)
        assert_close(one.latent_maps(raster), other.latent_maps(sites))

    def test_maps_are_nan_where_there_is_no_patch_and_there_alone(self):
        grid = with_hole()
        maps = small().latent_maps(grid)
        assert torch.equal(maps.isfinite().all(0), grid.mask)
        assert int(maps.isnan().any(0).sum()) == 3
        labels = phyvae.segment(maps, 2)
        assert ((labels == -1) == ~grid.mask.numpy()).all()

    def test_an_empty_cell_is_never_gathered(self, monkeypatch):
        grid = with_hole()
        filled, seen = set(grid.indices.tolist()), set()
        gather = type(grid).gather

        def spy(self, index):
            seen.update(index.tolist())
            return gather(self, index)

        monkeypatch.setattr(type(grid), "gather", spy)
        trainer = trained(grid, sites=30, tile=7)
        trainer.evaluate(grid)
        trainer.model.latent_maps(grid)
        assert seen == filled

    def test_psi_is_that_of_the_masked_map(self):
        grid, objective = with_hole(), PhysicsObjective(TotalVariation())
        trainer = PhysicsTrainer(small(), objective)
        maps = trainer.model.latent_maps(grid)
        expected = objective.physics(maps, grid.mask)
        assert_close(trainer.evaluate(grid).psi, expected, rtol=1e-4, atol=1e-5)
        unmasked = objective.physics(maps.nan_to_num())
        assert abs(float(unmasked - expected)) > 1e-3

    def test_the_elbo_is_that_of_the_patches(self):
        grid = with_hole()
        trainer = PhysicsTrainer(small())
        found = trainer.evaluate(grid)
        patches = grid.gather(grid.indices)
        assert_close(found.kl, trainer.model.posterior(Patches(patches)).kl().mean().detach())
        assert_close(found.reconstruction, found.neg_elbo - found.kl)

    def test_a_resumed_run_has_the_same_bits(self, tmp_path):
        path, grid = tmp_path / "run", with_hole()
        whole = PhysicsTrainer(small(), PhysicsObjective(TotalVariation()))
        whole.fit(grid, 3, progress=False)
        first = PhysicsTrainer(small(), PhysicsObjective(TotalVariation()))
        first.fit(grid, 1, progress=False, checkpoint=path)
        rest = phyvae.load_trainer(path)
        rest.fit(grid, 3, progress=False, resume=path)
        assert_close(rest.model.state_dict(), whole.model.state_dict(), rtol=0, atol=0)
        other = PhysicsTrainer(small(), PhysicsObjective(TotalVariation()))
        with pytest.raises(phyvae.CheckpointError, match="another run"):
            other.fit(on_sites(), 3, progress=False, resume=path)

    def test_refine_moves_the_patches_and_leaves_the_holes(self):
        grid, objective = with_hole(), PhysicsObjective(TotalVariation("none"))
        model = trained(grid).model
        found = phyvae.refine(model, grid, objective, iterations=1, samples=2, progress=False)
        for maps in (found.maps, found.stds, found.shifts):
            assert torch.equal(maps.isfinite().all(0), grid.mask)
        assert (found.energy.diff() <= 0).all()

    def test_sweep(self):
        grid = with_hole()
        settings = {"one": PhysicsObjective(TotalVariation()), "plain": None}
        found = phyvae.sweep(grid, settings, 1, model=lambda seed: small(), progress=False)
        alone = PhysicsTrainer(small(), settings["one"])
        alone.fit(grid, 1, progress=False)
        assert_close(found.maps["one"], alone.model.latent_maps(grid), equal_nan=True)

    @given(seed=st.integers(0, 99), tile=st.integers(2, 9), sites=st.integers(1, 90))
    @settings(max_examples=40, deadline=None)
    def test_every_patch_has_the_same_chance(self, seed, tile, sites):
        mask = torch.rand(9, 7, generator=torch.Generator().manual_seed(seed)) < 0.6
        filled = set(mask.flatten().nonzero()[:, 0].tolist())
        sampler = TileSampler((9, 7), 5, tile, sites, mask)
        for step in sampler.epoch(seed):
            assert set(step.tile.tolist()) <= filled
            assert len(step.batch) > 0
            assert step.layout.mask is None or int(step.layout.mask.sum()) == len(step.tile)
            row, col = step.tile // 7, step.tile % 7
            maps = step.layout.maps(torch.stack([row, col], dim=1).float())
            inside = maps if step.layout.mask is None else maps[:, step.layout.mask]
            assert torch.equal(inside.flatten(1), torch.stack([row, col]).float())
        drawn = Counter(
            index
            for epoch in range(60)
            for step in sampler.epoch(epoch)
            for index in step.tile[step.batch].tolist()
        )
        assert set(drawn) == filled


class TestSitesWithoutALattice:
    def grid(self) -> PatchGrid:
        rng = np.random.default_rng(0)
        return PatchGrid.at(PHANTOM.image, rng.uniform(10, 98, (90, 2)), SIZE, lattice=False)

    def test_trains_and_has_maps(self):
        grid, objective = self.grid(), PhysicsObjective(TotalVariation())
        trainer = trained(grid, objective)
        maps = trainer.model.latent_maps(grid)
        assert maps.shape == (2, 1, 90)
        expected = objective.physics.on_graph(maps[:, 0], grid.graph)
        assert_close(trainer.evaluate(grid).psi, expected, rtol=1e-4, atol=1e-5)

    def test_refine(self):
        grid, objective = self.grid(), PhysicsObjective(TotalVariation("none"))
        model = trained(grid).model
        found = phyvae.refine(model, grid, objective, iterations=1, samples=2, progress=False)
        assert found.maps.shape == (2, 1, 90)
        assert (found.energy.diff() <= 0).all()
        expected = (found.maps - model.latent_maps(grid).mean((1, 2), keepdim=True)).abs().max()
        assert expected > 0

    def test_tiles_are_boxes_that_part_the_sites(self):
        grid = self.grid()
        sampler = sampler_of(grid, batch_size=10, tile=5, sites=None)
        assert isinstance(sampler, SiteSampler)
        tiles = sampler._tiles(torch.Generator().manual_seed(0))
        assert max(map(len, tiles)) <= 25
        assert sorted(torch.cat(list(tiles)).tolist()) == list(range(90))
        for step in sampler.epoch(seed=1):
            assert step.layout.shape == (1, len(step.tile))
            assert_close(step.layout.graph.sites, grid.graph.sites[step.tile])

    def test_a_graph_of_all_is_the_grids_own(self):
        grid = self.grid()
        step = next(sampler_of(grid, 10, 64, None).epoch(0))
        assert_close(step.layout.graph.sites, grid.graph.sites)
        assert torch.equal(step.layout.graph.edges, grid.graph.edges)

    def test_a_loss_of_a_raster_is_refused(self):
        def roughness(maps, mask=None):
            return maps.diff(dim=-1).square().mean()

        with pytest.raises(ValueError, match="is a function of a raster"):
            trained(self.grid(), PhysicsObjective(roughness))
        with pytest.raises(ValueError, match="FourierLoss"):
            trained(self.grid(), PhysicsObjective(phyvae.FourierLoss()))


class TestSeries:
    def grids(self) -> list[PatchGrid]:
        frames = [phyvae.phantoms.bfo((110, 110), 9.0, seed=seed).image for seed in (0, 1, 2)]
        return PatchGrid.series([frames[0], frames[1][:80], frames[2]], SIZE, 9)

    def test_one_grid_in_a_list_is_the_grid(self):
        grid = PatchGrid(PHANTOM.image, size=SIZE, step=9)
        one, other = trained([grid]).model, trained(grid).model
        assert_close(one.state_dict(), other.state_dict(), rtol=0, atol=0)

    def test_an_epoch_decodes_each_patch_of_each_image_about_once(self):
        grids = self.grids()
        samplers = [sampler_of(grid, 10, 64, None) for grid in grids]
        steps = list(steps_over(samplers, seed=3))
        counts = Counter(step.grid for step in steps)
        assert counts == {i: round(len(grid) / 10) for i, grid in enumerate(grids)}
        assert [step.grid for step in steps] != sorted(step.grid for step in steps)
        for step in steps:
            assert step.layout.shape == grids[step.grid].shape

    def test_two_processes_share_the_steps(self):
        samplers = [sampler_of(grid, 10, 64, None) for grid in self.grids()]
        whole = [step.batch.tolist() for step in steps_over(samplers, 3, 12)]
        parts = [
            [step.batch.tolist() for step in steps_over(samplers, 3, 12, rank=rank, ranks=2)]
            for rank in (0, 1)
        ]
        assert whole[::2] == parts[0]
        assert whole[1::2] == parts[1]

    def test_the_model_learns_from_all_and_has_a_map_of_each(self):
        grids = self.grids()
        trainer = trained(grids)
        for grid in grids:
            assert trainer.model.latent_maps(grid).shape == (2, *grid.shape)
        alone = trained(grids[0]).model
        weights = [model.encoder_z.fc11.weight for model in (alone, trainer.model)]
        assert not torch.equal(*weights)

    def test_evaluate_is_the_mean_over_all_patches_and_their_maps(self):
        grids = self.grids()
        trainer = trained(grids)
        whole, parts = trainer.evaluate(grids), [trainer.evaluate(grid) for grid in grids]
        counts = torch.tensor([float(grid.count) for grid in grids])
        for name in ("kl", "psi", "floor"):
            each = torch.stack([getattr(one, name) for one in parts])
            assert_close(getattr(whole, name), (counts * each).sum() / counts.sum())
        assert_close(vars(trainer.evaluate(grids[:1])), vars(parts[0]))
        with pytest.raises(ValueError, match="empty list"):
            trainer.evaluate([])

    def test_a_run_of_other_images_is_not_resumed(self, tmp_path):
        grids, path = self.grids(), tmp_path / "run"
        PhysicsTrainer(small()).fit(grids, 1, progress=False, checkpoint=path)
        with pytest.raises(phyvae.CheckpointError, match="another run"):
            PhysicsTrainer(small()).fit(grids[::-1], 2, progress=False, resume=path)
        PhysicsTrainer(small()).fit(grids, 2, progress=False, resume=path)

    def test_refusals(self):
        with pytest.raises(ValueError, match="empty list"):
            PhysicsTrainer(small()).fit([], 1)
        with pytest.raises(TypeError, match="must be a PatchGrid"):
            grids_to_encode(small(), [self.grids()[0], PHANTOM.image])


class TestSignal:
    @pytest.mark.parametrize(
        "grid", [PatchGrid(PHANTOM.image, SIZE, 9), with_hole(), on_sites(lattice=False)]
    )
    def test_is_the_share_of_the_variance_between_patches(self, grid):
        model = trained(grid).model
        maps, stds = model.latent_maps(grid), model.latent_stds(grid)
        there = maps.isfinite().all(0)
        between = maps[:, there].var(1, correction=0)
        expected = between / (between + stds[:, there].square().mean(1))
        assert_close(model.signal(grid), expected)
        assert_close(model.signal(grid, batch_size=7), expected)

    def test_patches_of_another_size_are_refused(self):
        with pytest.raises(ValueError, match="patches are"):
            small().signal(PatchGrid(PHANTOM.image, size=SIZE + 1))


class TestLayout:
    def test_of_a_grid(self):
        grid = with_hole()
        layout = Layout.of(grid)
        assert torch.equal(layout.mask, grid.mask)
        values = grid.indices[:, None].float()
        assert torch.equal(layout.maps(values)[0][grid.mask], grid.indices.float())
        assert float(layout.maps(values)[0][~grid.mask].abs().sum()) == 0


def test_a_map_with_a_hole_can_still_be_all_one_tile():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        grid = with_hole()
        step = next(sampler_of(grid, 10, 64, 20).epoch(0))
    assert len(step.tile) == grid.count
    assert len(step.sites) == 20

"""Neighbours of sites, and what physics losses make of them."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae import (
    AreaFractions,
    BoundCharge,
    ClassOccupancy,
    Curvature,
    Decorrelation,
    DirichletEnergy,
    EdgeLoss,
    Exclusiveness,
    FourierLoss,
    GinzburgLandau,
    InterfaceEnergy,
    Maximize,
    OnChannels,
    Relation,
    Scheduled,
    SiteGraph,
    Sparsity,
    TotalVariation,
    Vorticity,
)
from phyvae.patches.layout import Layout

RANDOM = np.random.default_rng(0).uniform(0, 100, (60, 2))


def raster(rows, cols, step=7.0):
    return step * np.stack(np.meshgrid(np.arange(rows), np.arange(cols), indexing="ij"), -1)


JITTERED = raster(10, 12).reshape(-1, 2)
JITTERED = JITTERED + np.random.default_rng(0).uniform(-1, 1, JITTERED.shape)


def on_raster(rows, cols):
    return SiteGraph.delaunay(raster(rows, cols).reshape(-1, 2))


class TestDelaunay:
    def test_of_a_square_raster_diagonals_count_nothing_and_the_rim_half(self):
        graph = on_raster(5, 6)
        row, col = (graph.sites / 7).round().long().unbind(1)
        first, second = graph.edges.unbind(1)
        straight = (row[first] == row[second]) | (col[first] == col[second])
        rim_row = (row[first] == row[second]) & ((row[first] == 0) | (row[first] == 4))
        rim_col = (col[first] == col[second]) & ((col[first] == 0) | (col[first] == 5))
        expected = straight.double() * torch.where(rim_row | rim_col, 0.5, 1.0)
        assert_close(graph.weights, expected)
        assert straight.sum() == 5 * 5 + 4 * 6

    def test_weights_make_the_energy_of_a_plane_its_area(self):
        graph = SiteGraph.delaunay(JITTERED)
        for way in ([1.0, 0.0], [0.6, -0.8]):
            plane = (graph.sites @ torch.tensor(way).double())[None]
            energy = (graph.weights * graph.differences(plane).square()).sum()
            assert energy == pytest.approx(63 * 77, rel=0.03)

    def test_each_pair_comes_once_with_its_length(self):
        graph = SiteGraph.delaunay(RANDOM)
        pairs = {tuple(sorted(pair)) for pair in graph.edges.tolist()}
        assert len(pairs) == len(graph.edges)
        ends = RANDOM[graph.edges.numpy()]
        assert_close(graph.lengths, torch.from_numpy(np.hypot(*(ends[:, 1] - ends[:, 0]).T)))

    def test_long_sides_are_cut(self):
        two = np.vstack([RANDOM, RANDOM + np.array([0, 1000])])
        graph = SiteGraph.delaunay(two)
        assert graph.lengths.max() < 100
        assert SiteGraph.delaunay(two, longest=1e9).lengths.max() > 800
        assert SiteGraph.delaunay(RANDOM, longest=9.0).lengths.max() <= 9

    def test_weights_are_never_negative(self):
        assert (SiteGraph.delaunay(RANDOM).weights >= 0).all()

    def test_sites_on_a_line_are_refused(self):
        with pytest.raises(ValueError, match=r"on one line.*SiteGraph.nearest"):
            SiteGraph.delaunay(np.arange(12.0).reshape(6, 2))

    @pytest.mark.parametrize("longest", [0.0, -1.0, np.nan])
    def test_a_length_that_is_none_is_refused(self, longest):
        with pytest.raises(ValueError, match="longest"):
            SiteGraph.delaunay(RANDOM, longest=longest)


class TestNearest:
    def test_neighbours_are_the_nearest_of_either(self):
        graph = SiteGraph.nearest(RANDOM, k=3)
        distance = np.hypot(*(RANDOM[:, None] - RANDOM).transpose(2, 0, 1))
        near = np.argsort(distance, axis=1)[:, 1:4]
        expected = {tuple(sorted((i, int(j)))) for i in range(60) for j in near[i]}
        assert {tuple(pair) for pair in graph.edges.tolist()} == expected

    def test_weights_of_a_site_add_up_to_about_four(self):
        graph = SiteGraph.nearest(RANDOM, k=6)
        total = graph.sums(torch.ones(1, len(graph.edges), dtype=torch.float64))
        assert total.mean() == pytest.approx(4)

    def test_more_neighbours_than_sites_are_refused(self):
        with pytest.raises(ValueError, match="k=60 neighbours must be fewer than the 60 sites"):
            SiteGraph.nearest(RANDOM, k=60)


class TestAnyGraph:
    def test_a_subgraph_has_the_pairs_among_its_sites(self):
        graph = SiteGraph.delaunay(RANDOM)
        index = torch.randperm(60)[:25]
        part = graph.subgraph(index)
        assert_close(part.sites, graph.sites[index])
        weight = {tuple(e): w for e, w in zip(graph.edges.tolist(), graph.weights, strict=True)}
        chosen = set(index.tolist())
        assert len(part.edges) == sum(set(pair) <= chosen for pair in weight)
        for pair, w in zip(index[part.edges].tolist(), part.weights, strict=True):
            assert weight[tuple(sorted(pair))] == w

    def test_a_site_named_twice_is_refused(self):
        with pytest.raises(ValueError, match="index holds a site twice"):
            SiteGraph.delaunay(RANDOM).subgraph(torch.tensor([1, 2, 1]))

    def test_moving_keeps_everything(self):
        graph = SiteGraph.delaunay(RANDOM)
        moved = graph.to("cpu")
        for name in ("sites", "edges", "weights", "lengths"):
            assert_close(getattr(moved, name), getattr(graph, name))

    @pytest.mark.parametrize("kind", [SiteGraph.delaunay, SiteGraph.nearest])
    def test_the_slope_of_a_plane_is_exact_everywhere(self, kind):
        graph = kind(JITTERED)
        slopes = graph.slopes((graph.sites @ torch.tensor([[2.0], [-1.0]]).double()).T)
        expected = torch.tensor([2.0, -1.0]).double().expand(1, len(graph), 2)
        spacing = slopes[0, 0, 0] / 2
        assert 6 < spacing < 9
        assert_close(slopes / spacing, expected)

    def test_a_lonely_site_has_no_slope(self):
        graph = SiteGraph.delaunay(np.vstack([RANDOM, [5000.0, 5000.0]]))
        assert not (graph.edges == 60).any()
        assert (graph.slopes(torch.rand(2, 61))[:, 60] == 0).all()

    @pytest.mark.parametrize(
        ("sites", "error"),
        [
            (np.zeros((3, 2)), ValueError),
            (np.zeros((5, 3)), ValueError),
            (np.full((5, 2), np.nan), ValueError),
            (np.array(["a"]), TypeError),
        ],
    )
    @pytest.mark.parametrize("kind", [SiteGraph.delaunay, SiteGraph.nearest])
    def test_other_sites_are_refused(self, kind, sites, error):
        with pytest.raises(error, match="sites"):
            kind(sites)


LOSSES = [
    DirichletEnergy(),
    GinzburgLandau(2.0),
    GinzburgLandau(2.0, wells=[-1, 0, 2]),
    InterfaceEnergy(3.0, 30.0),
    InterfaceEnergy(2.0, folds=4),
    EdgeLoss(),
    EdgeLoss(scaling="minmax"),
    TotalVariation(),
    EdgeLoss() + 0.5 * TotalVariation(),
    Curvature(),
    Curvature(0.0),
]
GRAPHS = {"delaunay": SiteGraph.delaunay(RANDOM), "nearest": SiteGraph.nearest(RANDOM)}


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
class TestEveryLossOnAGraph:
    def test_scale_and_offset_of_the_latent_do_not_matter(self, loss, graph):
        z = torch.rand(2, 60, dtype=torch.float64)
        assert_close(loss.on_graph(5 * z - 2, graph), loss.on_graph(z, graph))
        assert loss.on_graph(z, graph) > 0

    def test_flat_values_are_free_and_their_gradient_finite(self, loss, graph):
        z = torch.full((2, 60), 0.3, requires_grad=True)
        psi = loss.on_graph(z, graph)
        psi.backward()
        assert psi == 0
        assert z.grad.isfinite().all()

    def test_the_gradient_is_right(self, loss, graph):
        part = graph.subgraph(torch.arange(20))
        z = torch.rand(2, 20, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda z: loss.on_graph(z, part), (z,))

    def test_order_of_the_sites_does_not_matter(self, loss, graph):
        z, order = torch.rand(2, 60, dtype=torch.float64), torch.randperm(60)
        shuffled = loss.on_graph(z[:, order], graph.subgraph(order))
        assert_close(shuffled, loss.on_graph(z, graph))

    def test_order_of_the_channels_does_not_matter(self, loss, graph):
        z = torch.rand(3, 60, dtype=torch.float64)
        assert_close(loss.on_graph(z[[2, 0, 1]], graph), loss.on_graph(z, graph))

    def test_noise_costs_more_than_one_wall(self, loss, graph):
        wall = (graph.sites[:, 0] > 50).double()[None]
        assert loss.on_graph(wall, graph) < loss.on_graph(torch.rand(1, 60).double(), graph)

    def test_the_unit_of_length_does_not_matter(self, loss, graph):
        z = torch.rand(2, 60, dtype=torch.float64)
        larger = SiteGraph(30 * graph.sites, graph.edges, graph.weights)
        assert_close(loss.on_graph(z, larger), loss.on_graph(z, graph))

    def test_precision_does_not_matter(self, loss, graph):
        z = torch.rand(2, 60, dtype=torch.float64)
        single = loss.on_graph(z.float(), graph)
        assert single.dtype == torch.float32
        assert_close(single.double(), loss.on_graph(z, graph), rtol=1e-4, atol=1e-5)

    def test_values_of_another_shape_are_refused(self, loss, graph, unchecked):
        for shape in ((60,), (2, 59), (2, 1, 60)):
            with pytest.raises((ValueError, TypeError), match="values"):
                loss.on_graph(torch.rand(shape), graph)


class TestOnASquareRaster:
    @pytest.mark.parametrize(
        "loss",
        [EdgeLoss(), TotalVariation(), DirichletEnergy(), InterfaceEnergy(), GinzburgLandau()],
        ids=repr,
    )
    @pytest.mark.parametrize("scaling", ["standard", "none"])
    def test_a_smooth_map_costs_what_it_costs_as_a_raster(self, loss, scaling):
        y, x = np.mgrid[:48, :40] / 40
        z = torch.from_numpy(np.stack([np.sin(3 * y + x), np.cos(2 * x - y) + y]))
        wells = {"wells": [-1, 1]} if isinstance(loss, GinzburgLandau) else {}
        loss = type(loss)(scaling=scaling, **wells)
        graph = on_raster(48, 40)
        # The sites of the rim have half a cell, so the spacing is 2 % below a step.
        power = 2 if isinstance(loss, DirichletEnergy) else 1
        found = loss.on_graph(z.flatten(1), graph).item()
        assert found == pytest.approx(loss(z).item(), rel=0.03 * power)

    def test_the_slope_is_that_between_the_neighbours_on_both_sides(self):
        z = torch.rand(1, 12, 10, dtype=torch.float64)
        slopes = on_raster(12, 10).slopes(z.flatten(1)).reshape(12, 10, 2)[2:-2, 2:-2]
        assert_close(
            slopes[..., 0], (z[0, 3:-1, 2:-2] - z[0, 1:-3, 2:-2]) / 2 * slopes_unit(12, 10)
        )
        assert_close(
            slopes[..., 1], (z[0, 2:-2, 3:-1] - z[0, 2:-2, 1:-3]) / 2 * slopes_unit(12, 10)
        )

    def test_a_wall_costs_total_variation_the_root_of_two_times_as_much(self):
        wall = torch.zeros(1, 40, 60, dtype=torch.float64)
        wall[:, :, 30:] = 1
        loss = TotalVariation(scaling="none")
        ratio = loss.on_graph(wall.flatten(1), on_raster(40, 60)) / loss(wall)
        assert ratio == pytest.approx(2**0.5, rel=0.03)

    def test_a_board_costs_total_variation_more_than_edges(self):
        board = torch.ones(8, 8)
        board[::2, ::2] = board[1::2, 1::2] = -1
        graph = on_raster(8, 8)
        values = board.reshape(1, -1)
        assert TotalVariation().on_graph(values, graph) > 2 * EdgeLoss().on_graph(values, graph)


def slopes_unit(rows, cols):
    """The root of the mean area of a site, in steps: a raster's rim has half cells."""
    return ((rows - 1) * (cols - 1) / (rows * cols)) ** 0.5


class TestCurvatureOnAGraph:
    def walls(self, sites, spacing):
        y, x = (sites - sites.mean(0)).unbind(1)
        straight = x > 0.3 * y + 0.1 * spacing
        discs = [torch.hypot(y, x) < radius * spacing for radius in (17, 8.5)]
        return [domain.double()[None] for domain in (straight, *discs)]

    def test_of_a_square_raster_it_is_that_of_the_raster(self):
        graph = on_raster(56, 56)
        for wall, radius in zip(self.walls(graph.sites, 7.0), (np.inf, 17, 8.5), strict=True):
            found = float(Curvature().on_graph(wall, graph))
            assert found == pytest.approx(float(Curvature()(wall.reshape(1, 56, 56))), abs=0.003)
            assert found == pytest.approx(1 / radius, rel=0.1, abs=0.022)
            in_nm = Curvature(7.0, pixel_size=3.5 / graph.spacing)
            assert in_nm.on_graph(wall, graph) == pytest.approx(found / 3.5)

    def test_among_jittered_sites_a_smaller_circle_bends_more_and_noise_most(self):
        sites = raster(56, 56).reshape(-1, 2)
        sites = sites + np.random.default_rng(0).uniform(-2, 2, sites.shape)
        graph = SiteGraph.delaunay(sites)
        noise = torch.rand(1, len(graph), dtype=torch.float64)
        costs = [
            float(Curvature().on_graph(z, graph)) for z in (*self.walls(graph.sites, 7.0), noise)
        ]
        assert costs == sorted(costs)
        assert costs[0] < 0.06
        assert costs[2] == pytest.approx(1 / 8.5, rel=0.15)


class TestComposition:
    def test_sums_and_weights_are_those_of_the_terms(self):
        graph, z = GRAPHS["delaunay"], torch.rand(2, 60)
        both = EdgeLoss() + 0.5 * TotalVariation()
        expected = EdgeLoss().on_graph(z, graph) + 0.5 * TotalVariation().on_graph(z, graph)
        assert_close(both.on_graph(z, graph), expected)

    def test_a_training_as_published_lays_out_squares_and_is_refused(self):
        objective = phyvae.PhysicsObjective(EdgeLoss(), coupling="published")
        with pytest.raises(ValueError, match='use coupling="balanced"'):
            objective.psi(torch.rand(60, 2), Layout((1, 60), graph=GRAPHS["delaunay"]))

    def test_maximize_is_the_reciprocal(self):
        graph, z = GRAPHS["delaunay"], torch.rand(2, 60)
        expected = 1 / (1 + EdgeLoss().on_graph(z, graph))
        assert_close(Maximize(EdgeLoss()).on_graph(z, graph), expected)

    @pytest.mark.parametrize("loss", [FourierLoss(), EdgeLoss() + FourierLoss()])
    def test_a_loss_of_waves_needs_a_raster(self, loss):
        with pytest.raises(ValueError, match=r"FourierLoss\(radius=1\) needs a raster"):
            loss.on_graph(torch.rand(2, 60), GRAPHS["delaunay"])

    def test_so_does_a_bilateral_filter(self):
        with pytest.raises(ValueError, match=r"sigma_spatial=5.*raster"):
            EdgeLoss(sigma_spatial=5.0).on_graph(torch.rand(2, 60), GRAPHS["delaunay"])

    def test_a_users_loss_needs_two_lines(self):
        class Smoothness(phyvae.PhysicsLoss):
            def forward(self, maps, mask=None):
                return maps.diff().square().mean()

            def on_graph(self, values, graph):
                z = phyvae.physics.standardise_values(values, graph)
                return graph.sums(graph.differences(z).square()).mean() / 2

        assert Smoothness().on_graph(torch.rand(1, 60), GRAPHS["nearest"]) > 0


class TestMaskedMaps:
    @pytest.mark.parametrize("scaling", ["standard", "minmax", "none"])
    def test_nan_where_there_is_no_patch_costs_nothing(self, scaling):
        maps = torch.rand(2, 9, 8)
        mask = torch.ones(9, 8, dtype=torch.bool)
        mask[3:5, 2] = mask[0, 0] = False
        loss = EdgeLoss(scaling=scaling)
        holes = torch.where(mask, maps, torch.nan).requires_grad_()
        psi = loss(holes, mask)
        assert_close(psi, loss(maps, mask))
        psi.backward()
        assert holes.grad.isfinite().all()

    @pytest.mark.parametrize(
        "loss",
        [
            Sparsity(),
            ClassOccupancy(),
            AreaFractions([0.3, 0.7]),
            Decorrelation(),
            Exclusiveness(),
            Relation(lambda one, other: one * other),
        ],
        ids=repr,
    )
    def test_a_loss_that_sees_no_places_takes_the_sites_as_they_come(self, loss):
        z = torch.rand(2, 60, dtype=torch.float64)
        found = loss.on_graph(z, GRAPHS["delaunay"])
        assert_close(found, loss(z.reshape(2, 6, 10)))
        assert_close(loss(z[:, torch.randperm(60)].reshape(2, 10, 6)), found)

    def test_chosen_channels_and_weights_by_epoch(self):
        graph, z = GRAPHS["delaunay"], torch.rand(3, 60)
        expected = EdgeLoss().on_graph(z[[2, 0]], graph)
        assert_close(OnChannels(EdgeLoss(), [2, 0]).on_graph(z, graph), expected)
        loss = Scheduled(OnChannels(EdgeLoss(), [2, 0]), lambda epoch: 3.0 * epoch)
        loss.set_epoch(2)
        assert_close(loss.on_graph(z, graph), 6 * expected)

    def test_wells_that_fit_cost_less(self):
        graph = GRAPHS["delaunay"]
        values = (graph.sites[:, 0] > 50).double()[None]
        between = torch.linspace(0, 1, 60, dtype=torch.float64)[None]
        loss = GinzburgLandau(1.0)
        assert loss.on_graph(values, graph) < loss.on_graph(between, graph)


class TestVectorsOnAGraph:
    def field(self, graph: SiteGraph, radial: bool) -> torch.Tensor:
        y, x = (graph.sites - graph.sites.mean(0)).double().unbind(1)
        return torch.stack([y, x] if radial else [x, -y])

    @pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
    def test_a_hedgehog_is_charged_and_a_vortex_turns(self, graph):
        hedgehog, vortex = self.field(graph, radial=True), self.field(graph, radial=False)
        for loss, punished, free in (
            (BoundCharge(), hedgehog, vortex),
            (Vorticity(), vortex, hedgehog),
        ):
            # A site at the rim may have neighbours along one line alone.
            assert loss.on_graph(punished, graph) == pytest.approx(2.0, abs=0.05)
            assert loss.on_graph(free, graph) == pytest.approx(0.0, abs=1e-6)

    @pytest.mark.parametrize("loss", [BoundCharge(), Vorticity()], ids=repr)
    def test_a_smooth_field_has_what_it_has_as_a_raster(self, loss):
        y, x = np.mgrid[:40, :48] / 12
        z = torch.from_numpy(np.stack([np.sin(y + 0.5 * x), np.cos(x) * y]))
        found = loss.on_graph(z.flatten(1), on_raster(40, 48))
        assert found == pytest.approx(loss(z).item(), rel=0.05)

    @pytest.mark.parametrize("loss", [BoundCharge(), Vorticity()], ids=repr)
    def test_laws(self, loss):
        graph = GRAPHS["delaunay"]
        z = torch.rand(2, 60, dtype=torch.float64, requires_grad=True)
        assert_close(loss.on_graph(5 * z - 2, graph), loss.on_graph(z, graph))
        assert torch.autograd.gradcheck(lambda z: loss.on_graph(z, graph), (z,))
        flat = torch.full((2, 60), 0.3, requires_grad=True)
        psi = loss.on_graph(flat, graph)
        psi.backward()
        assert psi == 0
        assert flat.grad.isfinite().all()
        with pytest.raises(ValueError, match="relates 2"):
            loss.on_graph(torch.rand(3, 60), graph)

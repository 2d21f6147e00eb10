import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from phyvae.phantoms import bfo, graphene, nio_lsmo, perovskite

SMALL = (330, 320)
QUIET = {"noise": 0.0, "background": 0.0}
MAKERS = [bfo, nio_lsmo, perovskite, graphene]
STEM = [bfo, nio_lsmo, perovskite]


def peak(image, row, col, reach):
    """Position of the brightest spot near a pixel, by a parabola through its logarithm."""
    box = image[row - reach : row + reach + 1, col - reach : col + reach + 1]
    i, j = np.unravel_index(box.argmax(), box.shape)
    i, j = i + row - reach, j + col - reach

    def vertex(a, b, c):
        return (a - c) / (a - 2 * b + c) / 2

    return np.array(
        [
            i + vertex(*np.log(image[i - 1 : i + 2, j])),
            j + vertex(*np.log(image[i, j - 1 : j + 2])),
        ]
    )


def at(array, sites):
    return array[tuple(np.rint(sites).astype(int).T)]


@pytest.mark.parametrize("make", MAKERS)
class TestEveryPhantom:
    def test_is_a_scaled_image_with_a_label_per_pixel(self, make):
        phantom = make(SMALL)
        assert phantom.image.shape == phantom.clean.shape == phantom.domains.shape == SMALL
        assert phantom.image.min() == 0
        assert phantom.image.max() == 1
        assert phantom.lattice == 12.6

    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("shape", [(320, 600), SMALL])
    def test_shows_every_domain_that_it_names_and_no_other(self, make, shape, seed):
        phantom = make(shape, seed=seed, distortion=3.0)
        labels, areas = np.unique(phantom.domains, return_counts=True)
        np.testing.assert_array_equal(labels, np.arange(len(phantom.names)))
        assert areas.min() > 0.02 * phantom.domains.size

    def test_is_the_same_for_the_same_seed_and_only_then(self, make):
        first, second, other = make(SMALL, seed=1), make(SMALL, seed=1), make(SMALL, seed=2)
        for name in ("image", "clean", "domains", "sites"):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
        assert (first.image != other.image).mean() > 0.9

    def test_leaves_the_global_generator_alone(self, make):
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        image = make(SMALL).image
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
        np.random.seed(99)  # noqa: NPY002
        np.testing.assert_array_equal(make(SMALL).image, image)

    def test_without_noise_is_its_own_clean_image(self, make):
        off = {"noise": 0.0} | ({"dose": None} if make in STEM else {})
        phantom = make(SMALL, **off)
        np.testing.assert_array_equal(phantom.image, phantom.clean)

    def test_noise_grows_as_asked_beside_the_same_specimen(self, make):
        off = {"dose": None} if make in STEM else {}
        strong, weak = make(SMALL, noise=0.2, **off), make(SMALL, noise=0.05, **off)
        ratio = [(p.image - p.clean).std() / p.clean.std() for p in (strong, weak)]
        assert ratio[0] == pytest.approx(4 * ratio[1], rel=1e-3)

    def test_another_noise_seed_scans_the_same_specimen_again(self, make):
        first, second = (make(SMALL, distortion=3.0, noise_seed=k) for k in (1, 2))
        for name in ("domains", "sites"):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
        scale = np.ptp(first.clean) / np.ptp(second.clean)  # each image has its own scale
        moved = scale * (second.clean - second.clean.min()) + first.clean.min()
        np.testing.assert_allclose(moved, first.clean, atol=1e-5)
        noises = [(phantom.image - phantom.clean).ravel() for phantom in (first, second)]
        assert abs(np.corrcoef(noises)[0, 1]) < 0.05

    @pytest.mark.parametrize("distortion", [0.0, 6.0])
    def test_sites_are_the_bright_spots_of_the_image(self, make, distortion):
        phantom = make((500, 480), 20.0, distortion=distortion, **QUIET)
        inner = phantom.sites[((phantom.sites > 6) & (phantom.sites < 470)).all(axis=1)]
        if make is graphene:
            inner = inner[at(phantom.domains, inner) == 0]
            edge = distance_transform_edt(phantom.domains == 0)
            inner = inner[at(edge, inner) > 40]
        found = [peak(phantom.clean + 0.1, *np.rint(site).astype(int), 3) for site in inner]
        error = np.abs(np.array(found) - inner)
        assert len(inner) > 100
        assert np.median(error) < 0.1 + 0.03 * distortion  # lines jitter by 0.05 of it
        assert np.quantile(error, 0.95) < 0.5 + 0.2 * distortion

    def test_distortion_moves_image_and_truth(self, make):
        straight, bent = make(SMALL, **QUIET), make(SMALL, distortion=6.0, **QUIET)
        assert np.abs(straight.clean - bent.clean).mean() > 0.02
        if len(straight.names) > 1:
            moved = (straight.domains != bent.domains).mean()
            assert 0.001 < moved < 0.1

    @pytest.mark.parametrize(
        ("argument", "cure"),
        [
            ({"lattice": 2.0}, r"lattice=2.0 px must be >= "),
            ({"lattice": float("nan")}, "lattice=nan px"),
            ({"shape": (100, 600)}, r"shape=\(100, 600\) px .* enlarge shape"),
            ({"noise": -0.1}, "noise=-0.1 must be finite and >= 0"),
            ({"background": float("inf")}, "background=inf must be finite"),
            ({"distortion": 40.0}, r"distortion=40.0 px must lie in \[0, 32\] px"),
        ],
    )
    def test_refuses_what_it_cannot_make(self, make, argument, cure):
        with pytest.raises(ValueError, match=cure):
            make(**({"shape": SMALL} | argument))


@pytest.mark.parametrize("make", STEM)
class TestEveryStemPhantom:
    def test_a_higher_dose_means_less_noise(self, make):
        low, high = (make(SMALL, dose=dose, **QUIET) for dose in (20.0, 2000.0))
        assert (low.image - low.clean).std() > 3 * (high.image - high.clean).std()

    def test_shot_noise_grows_with_brightness(self, make):
        phantom = make(SMALL, dose=100.0, **QUIET)
        error, bright = phantom.image - phantom.clean, phantom.clean > 0.4
        assert error[bright].std() > 1.3 * error[~bright].std()

    @pytest.mark.parametrize("dose", [0.0, -5.0, float("nan")])
    def test_refuses_a_dose_that_is_none_at_all(self, make, dose):
        with pytest.raises(ValueError, match=rf"dose={dose} .*None switches"):
            make(SMALL, dose=dose)

    @pytest.mark.parametrize("column", [0.1, 0.15])
    def test_columns_are_as_wide_as_asked(self, make, column):
        phantom = make((480, 480), 20.0, column=column, dose=None, **QUIET)
        sites = phantom.sites[((phantom.sites > 4) & (phantom.sites < 470)).all(axis=1)]
        sites = sites[at(phantom.domains, sites) == phantom.domains.max()]
        # Sites lie between two pixels: these are 0.5 and 2.5 px off the column's centre.
        low = phantom.clean.min()
        near, far = (at(phantom.clean, np.floor(sites) - (d, 0)) - low for d in (0, 2))
        sigma = np.sqrt((2.5**2 - 0.5**2) / 2 / np.log(np.median(near / far)))
        assert sigma == pytest.approx(20 * column, rel=0.15)

    @pytest.mark.parametrize(
        ("argument", "cure"),
        [
            ({"exponent": 0.0}, r"exponent=0.0 .* \(0, 2\]; 1.7 is HAADF"),
            ({"exponent": 2.1}, "exponent=2.1"),
            ({"exponent": float("nan")}, "exponent=nan"),
            ({"column": 0.0}, r"column=0.0 lattice constants .* \(0, 0.3\]"),
            ({"column": 0.31}, "column=0.31"),
            ({"column": float("nan")}, "column=nan"),
        ],
    )
    def test_refuses_columns_that_no_microscope_shows(self, make, argument, cure):
        with pytest.raises(ValueError, match=cure):
            make(SMALL, **argument)

    def test_repeats_with_the_stated_lattice(self, make):
        phantom = make((480, 480), 12.0, dose=None, **QUIET)
        bright = phantom.clean[:, 312:]  # one phase: 14 cells
        spectrum = np.abs(np.fft.rfft(bright.mean(axis=0)))
        assert spectrum[5:20].argmax() + 5 == 14


class TestBfo:
    @pytest.mark.parametrize("distortion", [0.0, 4.0])
    @pytest.mark.parametrize("displacement", [0.05, 0.1, 0.2])
    def test_iron_is_displaced_as_asked_oppositely_in_the_variants(self, displacement, distortion):
        phantom = bfo(
            (480, 480),
            20.0,
            displacement=displacement,
            column=0.14,  # at 0.17, bismuth pulls the nearest maximum of iron
            distortion=distortion,
            dose=None,
            **QUIET,
        )
        # The centre of four A sites as they appear, whether or not the drift shears the cell.
        corners = 20.0 * np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        found, corner = cKDTree(phantom.sites).query(phantom.sites[:, None] + corners)
        middle = phantom.sites[corner[(found < 5).all(axis=1)]].mean(axis=1)
        labels = at(phantom.domains, middle)
        shift = np.array([peak(phantom.clean, *np.rint(m).astype(int), 4) for m in middle])
        shift -= middle
        expected = displacement * 20.0 / 2**0.5
        for label, sign in ((0, 0), (1, -1), (2, 1)):
            np.testing.assert_allclose(
                np.median(shift[labels == label], axis=0),
                sign * expected,
                atol=0.1 + 0.03 * distortion,
            )
        along = shift.sum(axis=1)[labels > 0]
        if displacement >= 0.1:  # each single column, up to the wall, agrees with its label
            np.testing.assert_array_equal(along > 0, labels[labels > 0] == 2)

    @pytest.mark.parametrize("distortion", [0.0, 10.0])
    def test_bismuth_and_strontium_lie_where_the_truth_says(self, distortion):
        phantom = bfo(distortion=distortion, dose=None, **QUIET)
        height, labels = at(phantom.clean, phantom.sites), at(phantom.domains, phantom.sites)
        assert height[labels == 0].max() < 0.5
        assert height[labels > 0].min() > 0.6

    @pytest.mark.parametrize("exponent", [1.0, 1.7])
    def test_columns_follow_z_to_the_power_of_the_exponent(self, exponent):
        phantom = bfo(
            (480, 480), 20.0, displacement=0.1, exponent=exponent, column=0.12, dose=None, **QUIET
        )
        sites = phantom.sites[(phantom.sites[:, 0] < 460) & (phantom.sites[:, 1] < 460)]
        labels = at(phantom.domains, sites)
        floor = np.median(at(phantom.clean, sites + np.array([0, 10]))[labels > 0])
        shift = 20.0 * 0.1 / 2**0.5 * np.array([0, -1, 1])[labels]
        iron = at(phantom.clean, sites + 10 + shift[:, None])[labels > 0] - floor
        bismuth = at(phantom.clean, sites)[labels > 0] - floor
        ratio = (26**exponent + 8**exponent) / 83**exponent
        assert np.median(iron) / np.median(bismuth) == pytest.approx(ratio, rel=0.1)

    def test_gives_every_patch_the_same_phase_where_lattice_and_step_agree(self):
        sites = bfo(lattice=12.0).sites
        np.testing.assert_allclose((sites - 11.5) % 12.0, 0, atol=1e-9)  # centres of 24 px

    def test_a_wall_elsewhere_changes_nothing_but_the_variants(self):
        quiet = QUIET | {"dose": None, "seed": 3}
        high, low = (bfo((320, 400), wall=wall, **quiet) for wall in (0.3, 0.5))
        film = high.domains[0] > 0
        heights = [(phantom.domains[:, film] == 1).sum(axis=0) for phantom in (high, low)]
        np.testing.assert_allclose(heights[1] - heights[0], 0.2 * 320, atol=1.0)
        np.testing.assert_array_equal(high.sites, low.sites)
        # The scales differ a little where the brightest pixel does: compare far from the wall.
        same = distance_transform_edt(high.domains == low.domains) > 15
        slope, offset = np.polyfit(high.clean[same], low.clean[same], 1)
        np.testing.assert_allclose(slope * high.clean[same] + offset, low.clean[same], atol=1e-4)

    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("wall", [0.2, 0.8])
    def test_an_outermost_wall_leaves_room_for_both_variants(self, wall, seed):
        film = bfo(SMALL, wall=wall, seed=seed).domains[:, 100:]
        assert (film[:3] == 1).all()
        assert (film[-3:] == 2).all()

    @pytest.mark.parametrize("wall", [0.1, 0.9, float("nan")])
    def test_refuses_a_wall_that_leaves_the_image(self, wall):
        with pytest.raises(ValueError, match=f"wall={wall} image heights"):
            bfo(SMALL, wall=wall)

    @pytest.mark.parametrize("displacement", [0.0, -0.1, 0.3, float("nan")])
    def test_refuses_a_displacement_without_two_variants(self, displacement):
        with pytest.raises(ValueError, match=f"displacement={displacement} .*perovskite"):
            bfo(SMALL, displacement=displacement)


class TestNioLsmo:
    @pytest.mark.parametrize("seed", range(3))
    def test_the_interface_is_one_sharp_line(self, seed):
        phantom = nio_lsmo(seed=seed, dose=None, **QUIET)
        assert (np.diff(phantom.domains, axis=1) == 1).sum(axis=1).tolist() == [1] * 600
        height, labels = at(phantom.clean, phantom.sites), at(phantom.domains, phantom.sites)
        border = distance_transform_edt(phantom.domains) + distance_transform_edt(
            1 - phantom.domains
        )
        near = at(border, phantom.sites) < phantom.lattice
        assert near.sum() > 100
        assert height[near & (labels == 1)].min() > 0.6 > height[near & (labels == 0)].max()

    def test_nickel_oxide_has_its_own_spacing(self):
        phantom = nio_lsmo()
        nickel = phantom.sites[at(phantom.domains, phantom.sites) == 0]
        np.testing.assert_allclose(
            np.diff(np.unique(nickel[:, 0].round(6))), 12.6 * 4.177 / 3.87 / 2, atol=1e-5
        )


class TestGraphene:
    @staticmethod
    def strongest(phantom, label, wavelength):
        """Amplitude and wavelength of the strongest wave near one, deep inside a domain."""
        half = 36
        depth = distance_transform_edt(phantom.domains == label)
        depth[:half], depth[-half:], depth[:, :half], depth[:, -half:] = 0, 0, 0, 0
        row, col = np.unravel_index(depth.argmax(), depth.shape)
        box = phantom.clean[row - half : row + half, col - half : col + half]
        window = np.outer(np.hanning(2 * half), np.hanning(2 * half))
        spectrum = np.abs(np.fft.fft2((box - box.mean()) * window, (256, 256)))
        frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256))
        ring = np.abs(frequency * wavelength - 1) < 0.15
        return spectrum[ring].max(), 1 / frequency[ring][spectrum[ring].argmax()]

    @pytest.mark.parametrize("seed", range(3))
    def test_the_superlattice_is_present_only_where_labelled(self, seed):
        phantom = graphene(seed=seed, **QUIET)
        spacing = 3**0.5 / 2 * phantom.lattice
        for label in range(3):
            lattice, _ = self.strongest(phantom, label, spacing)
            wave, wavelength = self.strongest(phantom, label, 3**0.5 * spacing)
            if label == 0:
                assert wave < 0.1 * lattice
            else:
                assert wave > 0.3 * lattice
                assert wavelength == pytest.approx(3**0.5 * spacing, rel=0.04)

    def test_the_strongest_wave_is_the_lattice(self):
        phantom = graphene(**QUIET)
        spectrum = np.abs(np.fft.fft2(phantom.clean - phantom.clean.mean()))
        row, col = np.unravel_index(spectrum.argmax(), spectrum.shape)
        frequency = np.hypot(np.fft.fftfreq(600)[row], np.fft.fftfreq(600)[col])
        assert 1 / frequency == pytest.approx(12.6 * 3**0.5 / 2, rel=0.02)

    def test_vacancies_are_bright(self):
        phantom = graphene(**QUIET)
        core = phantom.clean[phantom.domains == 3]
        assert core.mean() > phantom.clean[phantom.domains == 0].mean() + 0.1

    def test_noise_runs_along_the_lines(self):
        phantom = graphene(SMALL)
        error = phantom.image - phantom.clean
        along = np.corrcoef(error[:, 1:].ravel(), error[:, :-1].ravel())[0, 1]
        across = np.corrcoef(error[1:].ravel(), error[:-1].ravel())[0, 1]
        assert along > 0.9
        assert abs(across) < 0.05

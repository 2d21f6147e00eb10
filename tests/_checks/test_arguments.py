"""Checks of arguments: what they return, and which sentence refuses the rest."""

import numpy as np
import pytest
import torch
from pyroved.models.base import baseVAE

from phyvae._checks import (
    arguments,
    as_array,
    as_choice,
    as_device,
    as_flag,
    as_integer,
    as_label_map,
    as_labels,
    as_maps,
    as_mask,
    as_nonnegative,
    as_number,
    as_pair,
    as_points,
    as_positive,
    as_real,
    as_seed,
    as_share,
    as_vectors,
    brief,
    check_takes,
    is_integer,
    refuse_channels_last,
    sides_of,
)

NAN, INF = float("nan"), float("inf")
MAPS = np.random.default_rng(0).random((2, 5, 6))
SITES = np.random.default_rng(0).random((6, 2))


@pytest.mark.parametrize(
    ("vectors", "named"),
    [
        ([[1.0, 0.0], [2.0, 0.02]], "parallel"),
        ([[0.0, 0.0], [2.0, 0.0]], "parallel"),
        ([[1.0, NAN], [0.0, 1.0]], "must be two finite vectors"),
        ([1.0, 2.0], r"cell=\[1.0, 2.0\] must be two finite vectors"),
    ],
)
def test_vectors_span_the_plane(vectors, named):
    np.testing.assert_array_equal(as_vectors(((0, 3), (2, 1)), "cell"), [[0, 3], [2, 1]])
    with pytest.raises(ValueError, match=named):
        as_vectors(vectors, "cell")


def test_each_check_is_listed():
    assert sorted(arguments.__all__) == arguments.__all__
    assert set(arguments.__all__) <= set(globals())


class TestPoints:
    def test_sites_that_are_masked_can_be_left_out_as_the_error_advises(self):
        sites = np.ma.array(SITES, mask=np.arange(6)[:, None] < [2, 1])
        for check in (as_points, as_real):
            with pytest.raises(ValueError, match="leave out the rows"):
                check(sites, "sites")
        np.testing.assert_array_equal(as_points(sites[~sites.mask.any(1)]), SITES[2:])

    @pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
    def test_masked_labels_are_no_patch_masked_maps_nan_and_a_masked_mask_false(self, dtype):
        hidden = np.eye(3, dtype=bool)
        labels = np.ma.array(np.arange(9).reshape(3, 3).astype(dtype), mask=hidden)
        expected = np.where(hidden, -1, labels.data.astype(int))
        for given in (labels, list(labels)):
            np.testing.assert_array_equal(as_labels(given), expected)
        maps, there = as_maps(labels)
        np.testing.assert_array_equal(there, ~hidden)
        np.testing.assert_array_equal(maps[0][there], labels.compressed())
        mask = np.ma.array(np.ones((3, 3), bool), mask=hidden)
        np.testing.assert_array_equal(as_mask(mask, (3, 3)), ~hidden)
        missing = as_array(labels, masked="missing")
        assert np.isnan(missing[0, 0]) if dtype == np.float32 else missing[0, 0] == -1

    def test_points_are_pairs(self):
        assert as_points(10 * np.arange(8).reshape(4, 2)).dtype == np.float64
        np.testing.assert_array_equal(as_points(torch.from_numpy(SITES)), SITES)

    @pytest.mark.parametrize(
        ("points", "error", "named"),
        [
            (SITES > 0.5, TypeError, "sites=.* must be real numbers"),
            (SITES + 1j, TypeError, "sites=.* must be real numbers"),
            (SITES[:, 0], ValueError, r"sites has shape \(6,\), but must be \(n, 2\)"),
            (SITES[:3], ValueError, r"sites has 3 site\(s\)"),
            (np.where(SITES[2, 1] == SITES, NAN, SITES), ValueError, r"sites\[2\] = .*not finite"),
        ],
    )
    def test_others_are_refused(self, points, error, named):
        with pytest.raises(error, match=named):
            as_points(points)


class TestMapsAndLabels:
    def test_one_map_has_one_channel_and_nan_in_all_is_empty(self):
        maps, patches = as_maps(np.where(np.eye(5) > 0, NAN, 1.0))
        assert maps.shape == (1, 5, 5)
        np.testing.assert_array_equal(patches, np.eye(5) == 0)
        maps, patches = as_maps(torch.from_numpy(MAPS).bfloat16(), MAPS[0] > 0.5)
        assert maps.dtype == np.float64
        np.testing.assert_array_equal(patches, MAPS[0] > 0.5)

    @pytest.mark.parametrize(
        ("maps", "error", "named"),
        [
            (None, TypeError, "maps=None must be an array of latent maps"),
            ("z", TypeError, "maps='z'"),
            (MAPS + 1j, ValueError, "maps of dtype complex128 must be real"),
            (MAPS[0, 0], ValueError, r"maps of shape \(6,\) must have the axes"),
            (np.zeros((2, 0, 5)), ValueError, "at least one cell"),
            (np.zeros((9, 9, 2)), ValueError, "channels last"),
            (np.where(MAPS.max() - 1e-9 < MAPS, INF, MAPS), ValueError, "maps holds 1 NaN or inf"),
            (MAPS * NAN, ValueError, "no patch is left"),
        ],
    )
    def test_bad_maps_are_refused(self, maps, error, named):
        with pytest.raises(error, match=named):
            as_maps(maps)

    def test_a_mask_is_bools_of_the_shape(self):
        mask = torch.eye(3, dtype=torch.bool)
        np.testing.assert_array_equal(as_mask(mask, (3, 3)), np.eye(3, dtype=bool))
        for other in (np.eye(3), np.ones((3, 4), bool), None):
            with pytest.raises(
                ValueError, match=r"mask of shape .* must be bools of shape \(3, 3"
            ):
                as_mask(other, (3, 3))

    def test_labels_are_whole_numbers(self):
        for labels in ([[0, -1], [2, 1]], torch.tensor([[0.0, -1.0], [2.0, 1.0]]).half()):
            found = as_labels(labels)
            assert found.dtype == np.int64
            assert found.tolist() == [[0, -1], [2, 1]]

    @pytest.mark.parametrize(
        ("labels", "named"),
        [
            ([0.5], "truth of dtype float64 must be whole numbers"),
            ([NAN], "must be whole numbers"),
            ([1j], "must be whole numbers"),
            (["a"], "must be whole numbers"),
            ([], "at least one cell"),
            ([2.0**60], "too far to count domains"),
        ],
    )
    def test_other_labels_are_refused(self, labels, named):
        with pytest.raises(ValueError, match=named):
            as_labels(labels, "truth")

    def test_a_map_of_labels_has_two_axes(self):
        assert as_label_map([[1, 2]]).shape == (1, 2)
        with pytest.raises(ValueError, match=r"truth of shape \(2,\) must have the axes"):
            as_label_map([1, 2], "truth")

    def test_channels_last_is_guessed_from_the_shape(self):
        for fine in ((2, 9, 9), (9, 9), (9, 9, 5), (8, 9, 2)):
            refuse_channels_last(fine)
        with pytest.raises(ValueError, match=r"z of shape \(9, 20, 4\) have their channels last"):
            refuse_channels_last((9, 20, 4), "z")


class TestNumbers:
    def test_whole_numbers(self):
        assert as_integer(np.int16(3), "n", 1) == 3
        assert type(as_integer(np.int16(3), "n", 1)) is int
        for bad in (True, 2.0, "3", None, [3]):
            with pytest.raises(TypeError, match=r"n=.* must be an integer >= 1, of cells"):
                as_integer(bad, "n", 1, ", of cells")
        with pytest.raises(ValueError, match="n=0 must be at least 1, of cells"):
            as_integer(0, "n", 1, ", of cells")

    def test_pairs_of_lengths(self):
        assert as_pair(3, "size") == as_pair((3, 3), "size") == as_pair([3, 3], "size") == (3, 3)
        assert as_pair((np.int64(3), 4), "size") == (3, 4)
        for bad in (2.5, "33", None, (1,), (1, 2, 3), True, (1, False), NAN, (1, 2.0)):
            with pytest.raises(ValueError, match=r"size=.* must be an integer or a pair of int"):
                as_pair(bad, "size")
        with pytest.raises(ValueError, match=r"size=\(5, 1\) must be at least 2 px"):
            as_pair((5, 1), "size", minimum=2)

    def test_pixel_sizes_are_pairs(self):
        for size, sides in ((0.5, [0.5, 0.5]), ((0.5, 0.25), [0.5, 0.25]), (None, [1, 1])):
            assert sides_of(size).tolist() == sides
        with pytest.raises(ValueError, match=r"s=\(1, 2, 3\) must be one number, or height and"):
            sides_of((1, 2, 3), "s")
        with pytest.raises(ValueError, match="s=0 must be > 0"):
            sides_of((1, 0), "s")

    def test_real_numbers(self):
        for fine in (2, 2.0, np.float32(2), torch.tensor(2), np.array(2.0)):
            number = as_number(fine, "x")
            assert type(number) is float
            assert number == 2
        assert as_number(INF, "x") == INF
        for bad in (True, np.True_, "2", None, 2j, [2], torch.ones(1)):
            with pytest.raises(TypeError, match=r"x=.* must be a length"):
                as_number(bad, "x", "a length")
        with pytest.raises(ValueError, match="x is too large for a float"):
            as_number(10**400, "x")

    @pytest.mark.parametrize(
        ("check", "fine", "bad", "words"),
        [
            (as_positive, (1e-9, 5), (0, -1, NAN, INF), "must be > 0 and finite"),
            (as_nonnegative, (0, 5), (-1e-9, NAN, INF), "must be >= 0 and finite"),
            (as_share, (1e-9, 1), (0, 1.01, -1, NAN), "is a share and must lie in (0, 1]"),
        ],
    )
    def test_ranges(self, check, fine, bad, words):
        for value in fine:
            assert check(value, "x") == value
        for value in bad:
            with pytest.raises(ValueError, match=r"x=.*; the cure") as raised:
                check(value, "x", "; the cure")
            assert f"x={value:g} {words}; the cure." == str(raised.value)
        with pytest.raises(TypeError, match="x='a' must be a number"):
            check("a", "x")

    def test_units_stand_after_the_value(self):
        with pytest.raises(ValueError, match="x=0 px must be > 0 and finite"):
            as_positive(0, "x", unit=" px")
        with pytest.raises(ValueError, match="x=-1 px must be >= 0 and finite"):
            as_nonnegative(-1, "x", unit=" px")

    def test_seeds_fit_their_generator(self):
        assert as_seed(2**63 - 1) == 2**63 - 1
        with pytest.raises(ValueError, match=r"seed=.* must be less than 4294967296"):
            as_seed(2**32, below=2**32)
        with pytest.raises(ValueError, match="noise_seed=-1 must be at least 0"):
            as_seed(-1, "noise_seed")

    def test_questions_are_answered_without_an_error(self):
        assert [is_integer(x) for x in (3, np.int8(3), True, 3.0, "3")] == [
            True,
            True,
            *[False] * 3,
        ]


class TestOthers:
    def test_choices(self):
        assert as_choice("a", "kind", ("a", "b")) == "a"
        for bad in ("c", None, ["a"], np.array(["a", "b"])):
            with pytest.raises(ValueError, match=r"kind=.* must be one of 'a', 'b'"):
                as_choice(bad, "kind", ("a", "b"))

    def test_flags(self):
        assert as_flag(np.True_, "on") is True
        for bad in (1, "yes", None):
            with pytest.raises(TypeError, match=r"on=.* must be True or False"):
                as_flag(bad, "on")

    def test_devices(self):
        assert as_device("cpu") == as_device(torch.device("cpu")) == torch.device("cpu")
        assert as_device(None) == torch.device("cpu")  # see conftest.py
        for bad in ("gpu", "meta", "cuda:99", 0):
            with pytest.raises(
                ValueError, match=r"where=.* device of this machine.*there are cpu"
            ):
                as_device(bad, "where")

    @pytest.mark.parametrize("there", [True, False])
    def test_the_usual_device_is_pyroveds(self, there, monkeypatch):
        monkeypatch.undo()
        monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
        assert (
            arguments.usual_device()
            == ("cuda" if there else "cpu")
            == baseVAE((8, 8), None).device
        )

    def test_functions_take_their_arguments(self):
        check_takes(lambda epoch: 1, (0,), "beta", "a function of the epoch")
        check_takes(dict.fromkeys, ([],), "beta", "anything")
        with pytest.raises(TypeError, match=r"beta=.* must be a function of the epoch: too many"):
            check_takes(lambda: 1, (0,), "beta", "a function of the epoch")

    def test_values_are_short_in_errors(self):
        assert brief(MAPS) == "<ndarray of shape (2, 5, 6)>"
        assert brief(torch.ones(3)) == "<Tensor of shape (3,)>"
        assert brief("a") == "'a'"
        assert brief(list(range(99))) == "<list>"
        assert brief(object()) == "<object>"

import numpy as np
import torch
from torch.testing import assert_close

from phyvae.alignment.factors import maximum_autocorrelation


def pairs_of(autocorrelations, count=4000, seed=0):
    """Signals of the first and the second of each pair, with these correlations between them."""
    rho = np.array(autocorrelations)
    common, one, two = np.random.default_rng(seed).normal(size=(3, count, len(rho)))
    return tuple(rho**0.5 * common + (1 - rho) ** 0.5 * own for own in (one, two))


def mixed(signals, seed=1):
    """The signals in two blocks of features, of very different units."""
    first, second = np.random.default_rng(seed).normal(size=(2, signals.shape[1], 3))
    blocks = (signals @ first + 5, 1e3 * signals @ second)
    return tuple(torch.from_numpy(block.astype(np.float32)) for block in blocks)


class TestMaximumAutocorrelation:
    rho = (0.9, 0.6, 0.3, 0.0)

    def test_factors_are_the_signals_in_order(self):
        one, two = pairs_of(self.rho)
        factors = maximum_autocorrelation(mixed(one), mixed(two))
        values = factors(torch.cat(mixed(one), 1)).numpy()
        # Six features of four signals: two combinations of them hold nothing more.
        assert_close(factors.autocorrelations[:4], np.array(self.rho), atol=0.05, rtol=0)
        for i in range(3):
            assert abs(np.corrcoef(values[:, i], one[:, i])[0, 1]) > 0.95

    def test_factors_have_mean_0_variance_1_and_are_uncorrelated(self):
        one, two = (mixed(signals) for signals in pairs_of(self.rho))
        factors = maximum_autocorrelation(one, two)
        values = torch.cat([factors(torch.cat(blocks, 1)) for blocks in (one, two)])[:, :3]
        assert values.mean(0).abs().max() < 1e-3
        assert_close(values.T.cov(correction=0), torch.eye(3), atol=0.02, rtol=0)

    def test_autocorrelation_is_that_of_the_factor(self):
        one, two = (mixed(signals) for signals in pairs_of(self.rho))
        factors = maximum_autocorrelation(one, two)
        first, second = (factors(torch.cat(blocks, 1)).numpy()[:, :3] for blocks in (one, two))
        for i in range(3):
            found = np.corrcoef(first[:, i], second[:, i])[0, 1]
            assert abs(found - factors.autocorrelations[i]) < 0.01

    def test_flat_features_do_no_harm(self):
        one, two = pairs_of(self.rho)
        flat = torch.ones(len(one), 30)
        blocks = [tuple(torch.cat([block, flat], 1) for block in mixed(x)) for x in (one, two)]
        factors = maximum_autocorrelation(*blocks)
        assert len(factors.autocorrelations) == 6
        assert np.isfinite(factors.autocorrelations).all()
        assert abs(factors.autocorrelations[0] - 0.9) < 0.05

    def test_by_chance_is_what_shuffled_pairs_give(self):
        one, two = (mixed(signals) for signals in pairs_of(self.rho))
        order = torch.randperm(4000, generator=torch.Generator().manual_seed(0))
        shuffled = maximum_autocorrelation(one, tuple(block[order] for block in two))
        by_chance = maximum_autocorrelation(one, two).by_chance
        assert shuffled.autocorrelations[0] < 1.3 * by_chance
        # Of 4000 pairs of 4 signals, a few times the error of one correlation.
        assert 1 / 4000**0.5 < by_chance < 4 / 4000**0.5

    def test_the_third_moment_of_a_factor_is_positive(self):
        rare = [np.where(x > 1.5, 1.0, -0.1) for x in pairs_of((0.99,))]
        for sign in (1, -1):
            blocks = [(torch.from_numpy(np.float32(sign * x)),) for x in rare]
            assert (maximum_autocorrelation(*blocks)(blocks[0][0]) ** 3).mean() > 0.1

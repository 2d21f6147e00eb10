"""Processes that average and agree; two of them have run tests/two_processes.py."""

import pytest
import torch
from torch.testing import assert_close

import phyvae
import two_processes
from phyvae.compute import processes
from phyvae.patches.known import Patches
from two_processes import small_grid, small_trainer

folder, both = two_processes.folder, two_processes.both


class TestTwoProcesses:
    def test_the_mean_over_both_halves_is_that_of_the_whole(self, both):
        model = small_trainer().model
        model.posterior(Patches(small_grid().patches.reshape(-1, 6, 6))).kl().mean().backward()
        whole = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        for see in both:
            assert_close(see["mean"], whole)
            assert not torch.allclose(
                see["own"]["encoder_z.fc11.weight"], whole["encoder_z.fc11.weight"]
            )

    def test_numbers_are_means_over_both(self, both):
        assert [see["mean of numbers"] for see in both] == [[1.5, 4.0]] * 2

    def test_a_broadcast_gives_all_the_tensors_of_the_first(self, both):
        for see in both:
            assert_close(see["broadcast"], [torch.zeros(2), torch.zeros(3, dtype=torch.int64)])

    def test_an_error_in_one_is_an_error_in_both(self, both):
        assert both[0]["together"] == "RuntimeError: Process 1 of 2 failed. KeyError: 'mine'"
        assert both[1]["together"] == "KeyError: 'mine'"
        assert [see["all well"] for see in both] == ["no error"] * 2

    def test_settings_that_differ_are_named(self, both):
        assert both[1]["agree"].startswith("ValueError: process 1 would train something else")
        assert "a.b is 1 here, but 0 in process 0" in both[1]["agree"]
        assert both[0]["agree"].startswith("RuntimeError: Process 1 of 2 failed. ValueError: proc")

    def test_an_argument_that_one_refuses_ends_both(self, both):
        assert both[1]["bad argument"] == "ValueError: epochs=0 must be at least 1."
        assert both[0]["bad argument"].startswith("RuntimeError: Process 1 of 2 failed. ")


class TestOneProcess:
    def test_joins_nobody(self, monkeypatch):
        for name in processes._LAUNCHED:
            monkeypatch.delenv(name, raising=False)
        assert phyvae.init_distributed("cpu") == torch.device("cpu")
        assert not torch.distributed.is_initialized()
        assert (phyvae.rank(), processes.world_size()) == (0, 1)

    def test_an_unknown_kind_is_refused(self, unchecked):
        with pytest.raises(ValueError, match="kind='gpu' must be 'cpu', 'cuda' or None"):
            unchecked(phyvae.init_distributed, "gpu")

    def test_more_processes_than_gpus_are_refused(self, monkeypatch):
        for name in [*processes._LAUNCHED, "LOCAL_RANK"]:
            monkeypatch.setenv(name, "2")
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        with pytest.raises(ValueError, match=r"LOCAL_RANK=2, .* 2 GPUs; .*--nproc-per-node=2"):
            phyvae.init_distributed("cuda")
        monkeypatch.delenv("LOCAL_RANK")
        with pytest.raises(ValueError, match="RANK is set but LOCAL_RANK is not"):
            phyvae.init_distributed("cuda")

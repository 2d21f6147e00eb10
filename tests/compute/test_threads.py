import threading
import time

import pytest
import torch

from phyvae.compute.threads import in_threads, one_thread


@pytest.fixture
def two_cores():
    """Torch may use two cores; its own setting is back afterwards."""
    cores = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2
    torch.set_num_threads(cores)


def seen_by(count):
    """Return thread and number of cores of each item's work."""
    seen = []
    in_threads(
        lambda item: seen.append((item, threading.get_ident(), torch.get_num_threads())),
        range(count),
    )
    return seen


@pytest.mark.usefixtures("two_cores")
class TestTwoCores:
    def test_each_item_is_worked_on_once_on_one_core_of_another_thread(self):
        seen = seen_by(5)
        assert sorted(item for item, _, _ in seen) == list(range(5))
        assert {cores for _, _, cores in seen} == {1}
        assert threading.get_ident() not in {thread for _, thread, _ in seen}

    def test_one_item_has_all_cores_to_itself(self):
        assert seen_by(1) == [(0, threading.get_ident(), 2)]

    def test_two_at_a_time(self):
        both = threading.Barrier(2, timeout=20)
        in_threads(lambda item: both.wait(), range(2))

    def test_after_an_error_the_rest_is_left(self):
        begun = []

        def work(item):
            begun.append(item)
            time.sleep(0.1)
            if item == 0:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            in_threads(work, range(20))
        assert len(begun) < 6


def test_on_one_core_all_is_done_here_in_order():
    cores = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert seen_by(3) == [(item, threading.get_ident(), 1) for item in range(3)]
    finally:
        torch.set_num_threads(cores)


class TestOneThread:
    def test_holds_in_the_block_and_is_put_back_after_an_error(self):
        before, seen = torch.get_num_threads(), []
        torch.set_num_threads(2)
        try:
            with pytest.raises(ZeroDivisionError), one_thread():
                raise ZeroDivisionError(seen.append(torch.get_num_threads()))
            assert (seen, torch.get_num_threads()) == ([1], 2)
            with one_thread(small=False):
                assert torch.get_num_threads() == 2
        finally:
            torch.set_num_threads(before)

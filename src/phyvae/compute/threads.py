"""Several threads of one core each, instead of one operation after another on all cores."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["in_threads", "one_thread"]

T = TypeVar("T")


@contextlib.contextmanager
def one_thread(*, small: bool = True) -> Iterator[None]:
    """Let torch compute on one thread in the block, if it is `small`, then on as many as before.

    Small operations gain nothing by more, and lose much where another process is busy: each waits
    for the slowest thread.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if small else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def in_threads(work: Callable[[T], None], items: Sequence[T]) -> None:
    """Do the work of each item, as many at a time as torch may use cores, one core each.

    An operation on all cores ends with a wait for the slowest, and most of training's are short.
    After an error, or Ctrl-C, what has begun is ended and the rest is left.
    """
    cores = torch.get_num_threads()
    if min(cores, len(items)) == 1:
        for item in items:
            work(item)
        return
    torch.set_num_threads(1)  # the setting of new threads
    try:
        with ThreadPoolExecutor(cores) as pool:
            futures = [pool.submit(work, item) for item in items]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        torch.set_num_threads(cores)

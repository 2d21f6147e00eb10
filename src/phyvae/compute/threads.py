"""Several threads of one core each, instead of one operation after another on all cores."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["in_threads"]

T = TypeVar("T")


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

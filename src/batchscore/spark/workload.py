"""The work of all tasks, as small as every worker can hold it (pure)."""

from __future__ import annotations

import pickle
import zlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from batchscore.input.files import InputFile, Split, Splits

# Unpacking them takes about a millisecond, and each takes less than 100 bytes, where alone it takes several hundred.
_INPUTS_TOGETHER = 64


@dataclass(frozen=True)
class Workload:
    """The splits of each task and their inputs: broadcast whole, and each worker process takes from it what it needs.

    ``firsts`` are the indices of the tasks' first splits, and at the end the number of splits.
    """

    splits: Splits
    firsts: array[int]
    inputs: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.firsts) - 1

    def task(self, number: int) -> list[tuple[Split, InputFile]]:
        """Return the splits of a task, in order, with their inputs."""
        splits = [self.splits[index] for index in range(self.firsts[number], self.firsts[number + 1])]
        groups = sorted({split.input_index // _INPUTS_TOGETHER for split in splits})
        inputs = {group: pickle.loads(zlib.decompress(self.inputs[group])) for group in groups}
        places = [divmod(split.input_index, _INPUTS_TOGETHER) for split in splits]
        return [(split, inputs[group][place]) for split, (group, place) in zip(splits, places, strict=True)]


def make_workload(inputs: Sequence[InputFile], splits: Splits, tasks: Iterable[Sequence[Split]]) -> Workload:
    """Pack the work of tasks, each of neighbouring splits, which together are all of them."""
    firsts = array("q", accumulate((len(task) for task in tasks), initial=0))
    groups = (inputs[start : start + _INPUTS_TOGETHER] for start in range(0, len(inputs), _INPUTS_TOGETHER))
    return Workload(splits, firsts, tuple(zlib.compress(pickle.dumps(group), 1) for group in groups))

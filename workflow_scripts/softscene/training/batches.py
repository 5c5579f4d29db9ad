"""Clips on the device, in batches."""

from collections.abc import Iterator

import torch
from torch import Tensor

from softscene.features.clips import Clips
from softscene.training.runtime import permutation


class Batches:
    """A part's clips on the device, in an order that (seed, epoch) decides."""

    def __init__(self, clips: Clips, device: torch.device, soft: Tensor | None = None) -> None:
        self.features = torch.from_numpy(clips.features).to(device)
        self.lengths = torch.from_numpy(clips.lengths).to(device)
        self.targets = torch.from_numpy(clips.targets).to(device)
        self.scenes = torch.from_numpy(clips.scenes).to(device)
        self.soft = None if soft is None else soft.to(device)

    def __len__(self) -> int:
        return len(self.lengths)

    def epoch(self, seed: int, epoch: int, batch_size: int) -> Iterator[Tensor]:
        """Indices of the clips of each step."""
        order = torch.from_numpy(permutation(seed, epoch, len(self)))
        yield from order.to(self.lengths.device).split(batch_size)

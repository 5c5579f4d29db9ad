"""The paper's networks (Fig. 2, Table 2): teacher, CRNN, and the multitask student.

Axes are written batch x channels x frames x bands, sizes in the comments are the paper's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from softscene.models.fused import convolution_block, input_block
from softscene.models.fused.gru import BidirectionalGRU
from softscene.models.padding import as_image

# Pooling sizes, frames x bands, after each convolution (Table 2).
TEACHER_POOLS = ((8, 8), (4, 4), (2, 2))
SHARED_POOLS = ((1, 8), (1, 4), (1, 2))
SCENE_POOLS = ((10, 1), (5, 1))


@dataclass(frozen=True)
class NetworkParameters:
    """Sizes of the networks; the defaults are the paper's.

    Attributes
    ----------
    bands, frames
        Size of a clip: mel bands, and frames.
    events, scenes
        Number of classes.
    channels
        Of each of the three convolutions of the teacher and of the shared part.
    scene_channels
        Of each of the two convolutions of the scene branch.
    gru_units
        Of the BiGRU, in one direction.
    dense_units
        Of the fully connected layer behind the BiGRU.
    dropout
        Probability before each last layer.
    """

    bands: int = 64
    frames: int = 500
    events: int = 25
    scenes: int = 4
    channels: int = 128
    scene_channels: tuple[int, int] = (64, 16)
    gru_units: int = 32
    dense_units: int = 32
    dropout: float = 0.15

    @classmethod
    def configured(
        cls, network: Mapping[str, Any], clip: tuple[int, int], classes: tuple[int, int]
    ) -> "NetworkParameters":
        """Sizes that fit the data.

        Parameters
        ----------
        network
            The configuration's ``network``, or those of its keys that are needed.
        clip
            Frames and bands.
        classes
            Number of events and of scenes.
        """
        given = dict(network)
        if "scene_channels" in given:
            given["scene_channels"] = tuple(given["scene_channels"])
        (frames, bands), (events, scenes) = clip, classes
        return cls(bands=bands, frames=frames, events=events, scenes=scenes, **given)


class ConvolutionBlock(nn.Module):
    """Convolution 3 x 3, batch norm, ReLU, max pooling.

    The ReLU stands behind the pooling: the maximum of a monotone function is the function of the
    maximum, and there is less to do. On a processor the first block's maps are never written, and
    in training those of further ones are pooled while they are made: see ``models/fused``.
    """

    def __init__(self, inputs: int, outputs: int, pool: tuple[int, int]) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)
        self.norm = nn.BatchNorm2d(outputs)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """Batch x inputs x frames x bands -> batch x outputs x (frames, bands) / pool."""
        if input_block.applies(x, self.pool):
            return input_block.first_block(x, self.convolution, self.norm, self.pool)
        if convolution_block.applies(x, self.norm, self.pool):
            return convolution_block.later_block(x, self.convolution, self.norm, self.pool)
        return F.relu(F.max_pool2d(self.norm(self.convolution(x)), self.pool))


def convolutions(
    inputs: int, outputs: Sequence[int], pools: Sequence[tuple[int, int]]
) -> nn.Sequential:
    """A stack of blocks, one for each pooling size."""
    sizes = [inputs, *outputs]
    return nn.Sequential(
        *(ConvolutionBlock(sizes[i], sizes[i + 1], pool) for i, pool in enumerate(pools))
    )


def pooled(size: int, pools: Sequence[int]) -> int:
    """Size of an axis behind poolings that drop what does not fill a window."""
    for pool in pools:
        size //= pool
    return size


class Teacher(nn.Module):
    """Scene classifier whose posteriors become the soft labels (Table 2, left)."""

    def __init__(self, size: NetworkParameters) -> None:
        super().__init__()
        self.convolutions = convolutions(1, [size.channels] * 3, TEACHER_POOLS)
        flat = (
            size.channels
            * pooled(size.frames, [time for time, _ in TEACHER_POOLS])  # 7
            * pooled(size.bands, [band for _, band in TEACHER_POOLS])  # 1
        )
        self.dropout = nn.Dropout(size.dropout)
        self.output = nn.Linear(flat, size.scenes)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Standardised log-mel (batch x frames x bands) -> scene logits v (batch x scenes)."""
        maps = self.convolutions(as_image(features, lengths))
        return self.output(self.dropout(maps.flatten(1)))


class EventBranch(nn.Module):
    """BiGRU and two fully connected layers, one output a frame (Table 2, right)."""

    def __init__(self, inputs: int, size: NetworkParameters) -> None:
        super().__init__()
        self.gru = BidirectionalGRU(inputs, size.gru_units)
        self.hidden = nn.Linear(2 * size.gru_units, size.dense_units)
        self.dropout = nn.Dropout(size.dropout)
        self.output = nn.Linear(size.dense_units, size.events)

    def forward(self, maps: Tensor) -> Tensor:
        """Shared maps (batch x channels x frames x 1) -> event logits y (batch x frames x 25)."""
        states = self.gru(maps.permute(0, 2, 1, 3).flatten(2))
        return self.output(self.dropout(F.relu(self.hidden(states))))


class SceneBranch(nn.Module):
    """Two convolutions that pool over time, and one output a clip (Table 2, middle)."""

    def __init__(self, inputs: int, bands: int, size: NetworkParameters) -> None:
        super().__init__()
        self.convolutions = convolutions(inputs, size.scene_channels, SCENE_POOLS)
        frames = pooled(size.frames, [time for time, _ in SCENE_POOLS])  # 10
        self.dropout = nn.Dropout(size.dropout)
        self.output = nn.Linear(size.scene_channels[-1] * frames * bands, size.scenes)

    def forward(self, maps: Tensor) -> Tensor:
        """Shared maps (batch x channels x frames x 1) -> scene logits w (batch x scenes)."""
        return self.output(self.dropout(self.convolutions(maps).flatten(1)))


class Student(nn.Module):
    """Event detector, with a scene branch on the shared layers (MTL) or without (CRNN).

    The event part comes first wherever random numbers are drawn, so that it starts from the same
    weights and sees the same dropout whether or not there is a scene branch.
    """

    def __init__(self, size: NetworkParameters, *, scene_branch: bool) -> None:
        super().__init__()
        self.shared = convolutions(1, [size.channels] * 3, SHARED_POOLS)
        bands = pooled(size.bands, [band for _, band in SHARED_POOLS])  # 1
        self.event = EventBranch(size.channels * bands, size)
        self.scene = SceneBranch(size.channels, bands, size) if scene_branch else None

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor | None]:
        """Standardised log-mel (batch x frames x bands) -> event logits, scene logits or None."""
        maps = self.shared(as_image(features, lengths))
        return self.event(maps), None if self.scene is None else self.scene(maps)

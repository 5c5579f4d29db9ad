"""The paper's networks (Fig. 2, Table 2): teacher, CRNN, and the multitask student.

Axes are written batch x channels x frames x bands; sizes in the comments are the paper's.

Convolution blocks and the GRU have two forms: the plain one of PyTorch's layers, in the order of
Table 2, and a fused one (``models/fused``) that computes the same function in less time.
``NetworkParameters.fused`` chooses. Names and shapes of the weights are the same, so weights of one
form can be loaded into the other; results differ in the last bits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from softscene.models.fused import convolution_block, gru, input_block
from softscene.models.padding import as_image
from softscene.models.precision import FLOAT32, convolve, linear

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
        Of the fully connected layer after the BiGRU.
    dropout
        Probability before each last layer.
    fused
        Whether blocks and GRU compute in their fused form; False is Table 2's layers in order.
    precision
        Of the products in training, see :mod:`softscene.models.precision`.
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
    fused: bool = True
    precision: str = FLOAT32

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
    """Convolution 3 x 3, batch norm, ReLU, max pooling (Table 2).

    Parameters
    ----------
    inputs, outputs
        Channels.
    pool
        Frames and bands of a pooling window.
    fused
        Whether to compute in a fused form where one applies: ``fused/input_block.py`` for images of
        one channel, ``fused/convolution_block.py`` in training.
    precision
        Of the convolution's products in training.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        pool: tuple[int, int],
        fused: bool = True,
        precision: str = FLOAT32,
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)
        self.norm = nn.BatchNorm2d(outputs)
        self.pool = pool
        self.fused = fused
        self.precision = precision

    def forward(self, x: Tensor) -> Tensor:
        """Batch x inputs x frames x bands -> batch x outputs x (frames, bands) / pool."""
        precision = self.precision if self.training else FLOAT32
        layers = self.convolution, self.norm, self.pool
        if not self.fused:
            maps = self.norm(convolve(x, self.convolution, precision))
            return F.max_pool2d(F.relu(maps), self.pool)
        if input_block.applies(x, self.pool):
            return input_block.fused_input_block(x, *layers, precision)
        if convolution_block.applies(x, self.norm, self.pool):
            return convolution_block.fused_block(x, *layers, precision)
        # ReLU is monotone, so ReLU after the pooling is the same function with less work.
        maps = self.norm(convolve(x, self.convolution, precision))
        return F.relu(F.max_pool2d(maps, self.pool))


class BidirectionalGRU(nn.GRU):
    """One layer of ``nn.GRU``, batch first, in both directions, without the last states.

    Parameters
    ----------
    inputs
        Features of a frame.
    units
        In one direction.
    fused
        Whether to compute in the fused form (``fused/gru.py``) where it applies.
    precision
        Of the products with the inputs in training, in the fused form.
    """

    def __init__(
        self, inputs: int, units: int, fused: bool = True, precision: str = FLOAT32
    ) -> None:
        super().__init__(inputs, units, batch_first=True, bidirectional=True)
        self.fused = fused
        self.precision = precision

    def forward(self, x: Tensor) -> Tensor:
        """Batch x frames x inputs -> states, batch x frames x 2 units (forward, backward)."""
        if self.fused and gru.applies(x):
            precision = self.precision if self.training else FLOAT32
            return gru.fused_gru(x, self.all_weights, precision)
        return super().forward(x)[0]


class HiddenLayer(nn.Linear):
    """``nn.Linear`` with products in a precision of their own in training."""

    def __init__(self, inputs: int, outputs: int, precision: str = FLOAT32) -> None:
        super().__init__(inputs, outputs)
        self.precision = precision

    def forward(self, x: Tensor) -> Tensor:
        """... x inputs -> ... x outputs."""
        return linear(x, self.weight, self.bias, self.precision if self.training else FLOAT32)


def convolutions(
    inputs: int,
    outputs: Sequence[int],
    pools: Sequence[tuple[int, int]],
    size: NetworkParameters,
) -> nn.Sequential:
    """A stack of blocks, one for each pooling size."""
    channels = [inputs, *outputs]
    return nn.Sequential(
        *(
            ConvolutionBlock(channels[i], channels[i + 1], pool, size.fused, size.precision)
            for i, pool in enumerate(pools)
        )
    )


def pooled(size: int, pools: Sequence[int]) -> int:
    """Size of an axis after poolings that drop incomplete windows."""
    for pool in pools:
        size //= pool
    return size


class Teacher(nn.Module):
    """Scene classifier whose posteriors become the soft labels (Table 2, left)."""

    def __init__(self, size: NetworkParameters) -> None:
        super().__init__()
        self.convolutions = convolutions(1, [size.channels] * 3, TEACHER_POOLS, size)
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
    """BiGRU and two fully connected layers, one output per frame (Table 2, right)."""

    def __init__(self, inputs: int, size: NetworkParameters) -> None:
        super().__init__()
        self.gru = BidirectionalGRU(inputs, size.gru_units, size.fused, size.precision)
        self.hidden = HiddenLayer(2 * size.gru_units, size.dense_units, size.precision)
        self.dropout = nn.Dropout(size.dropout)
        self.output = nn.Linear(size.dense_units, size.events)

    def forward(self, maps: Tensor) -> Tensor:
        """Shared maps (batch x channels x frames x 1) -> event logits y (batch x frames x 25)."""
        states = self.gru(maps.permute(0, 2, 1, 3).flatten(2))
        return self.output(self.dropout(F.relu(self.hidden(states))))


class SceneBranch(nn.Module):
    """Two convolutions that pool over time, and one output per clip (Table 2, middle)."""

    def __init__(self, inputs: int, bands: int, size: NetworkParameters) -> None:
        super().__init__()
        self.convolutions = convolutions(inputs, size.scene_channels, SCENE_POOLS, size)
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
        self.shared = convolutions(1, [size.channels] * 3, SHARED_POOLS, size)
        bands = pooled(size.bands, [band for _, band in SHARED_POOLS])  # 1
        self.event = EventBranch(size.channels * bands, size)
        self.scene = SceneBranch(size.channels, bands, size) if scene_branch else None

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor | None]:
        """Standardised log-mel (batch x frames x bands) -> event logits, scene logits or None."""
        maps = self.shared(as_image(features, lengths))
        return self.event(maps), None if self.scene is None else self.scene(maps)

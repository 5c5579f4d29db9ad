"""What the benchmark measures: the plain trainer, softscene's, and convolutions alone."""

import torch
from softscene.features.clips import Clips
from softscene.models.networks import ConvolutionBlock, NetworkParameters, Student, Teacher
from softscene.training import loop
from softscene.training.adam import Adam
from softscene.training.batches import Batches
from softscene.training.parameters import SceneObjective
from softscene.training.runtime import prepare
from torch.utils.data import DataLoader, TensorDataset

from tests.benchmark import reference

KINDS = ("teacher", "crnn", "mtl", "soft")
OBJECTIVES = {
    "crnn": SceneObjective(),
    "mtl": SceneObjective("hard", 1.0),
    "soft": SceneObjective("soft", 1.0, 1.0),
}
LEARNING_RATE = 2e-4
DROPOUT = 0.15


def clips(number):
    """Synthetic clips whose events and scenes can be heard: noise with a spectrum of each.

    Features, lengths, targets, scenes and soft labels; some clips are shorter.
    """
    generator, frames = torch.Generator().manual_seed(0), 500

    def noise(*shape):
        return torch.randn(shape, generator=generator)

    lengths = torch.full((number,), frames)
    lengths[1::7] = 2 * frames // 3
    valid = torch.arange(frames) < lengths[:, None]
    scenes = torch.randint(0, 4, (number,), generator=generator)
    active = (torch.rand(number, frames // 10, 25, generator=generator) < 0.1).repeat_interleave(
        10, 1
    )
    targets = active & valid[:, :, None]
    features = noise(number, frames, 64) + 0.7 * targets.float() @ noise(25, 64)
    features += noise(4, 64)[scenes][:, None]
    features = (features - features.mean((0, 1))) / features.std((0, 1)) * valid[:, :, None]
    soft = 2 * torch.nn.functional.one_hot(scenes, 4) + noise(number, 4)
    return features, lengths, targets, scenes, soft


class Reference:
    """The plain trainer."""

    def __init__(self, kind, threads, data, device, dropout=DROPOUT):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.kind, self.data, self.device = kind, data, device
        self.network = reference.network(kind, dropout).to(device)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=LEARNING_RATE)

    def batches(self, size):
        """Those of an epoch, as :meth:`step` wants them."""
        return iter(DataLoader(TensorDataset(*self.data), batch_size=size, shuffle=True))

    def loss(self, batch):
        batch = [each.to(self.device) for each in batch]
        return reference.loss(self.kind, self.network, batch)

    def step(self, batch):
        self.optimiser.zero_grad()
        loss = self.loss(batch)
        loss.backward()
        self.optimiser.step()
        return loss.item()


class Softscene(Reference):
    """As ``softscene.training.loop`` does it; a batch is the indices of its clips."""

    def __init__(self, kind, threads, data, device, dropout=DROPOUT):
        prepare(threads, device.type)
        torch.manual_seed(0)
        network = _network(kind, NetworkParameters(dropout=dropout))
        self.kind, self.network = kind, network.to(device, memory_format=torch.channels_last)
        self.optimiser = Adam(network.parameters(), lr=LEARNING_RATE)
        arrays = (each.numpy() for each in data[:4])
        self.data = Batches(Clips(None, *arrays), device, data[4])

    def batches(self, size):
        return self.data.epoch(seed=0, epoch=1, batch_size=size)

    def loss(self, batch):
        if self.kind == "teacher":
            losses = loop.teacher_losses(self.network, self.data, batch)
        else:
            objective = OBJECTIVES[self.kind]
            losses = loop.student_losses(self.network, self.data, batch, objective)
        return losses["loss"]


class Floor:
    """The convolutions alone, forward and backward, where they are fastest: channels last."""

    def __init__(self, kind, threads, data, device):
        prepare(threads, device.type)
        self.layers, self.device = [], device
        shape = (1, *data[0].shape[1:])
        for name, block in _network(kind, NetworkParameters()).named_modules():
            if not isinstance(block, ConvolutionBlock):
                continue
            layer = block.convolution.to(device, memory_format=torch.channels_last)
            self.layers.append((layer, shape))
            pooled = [n // p for n, p in zip(shape[1:], block.pool, strict=True)]
            shape = (layer.out_channels, *pooled)
            if name == "shared.2":
                assert shape == (128, data[0].shape[1], 1)  # where the scene branch goes on

    def batches(self, size):
        while True:
            yield size

    def step(self, size):
        for layer, shape in self.layers:
            x = torch.zeros((size, *shape), device=self.device)
            x = x.contiguous(memory_format=torch.channels_last).requires_grad_(shape[0] > 1)
            y = layer(x)
            y.backward(y.detach())


def _network(kind, size):
    return Teacher(size) if kind == "teacher" else Student(size, scene_branch=kind != "crnn")


TRAINERS = {"reference": Reference, "softscene": Softscene, "floor": Floor}

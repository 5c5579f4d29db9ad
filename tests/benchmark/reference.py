"""The trainer that a careful user of PyTorch would write after Table 2: plain layers, in order.

Layers have the names that they have in softscene, so that weights can be exchanged.
"""

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, inputs, outputs, pool):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(pool)

    def forward(self, x):
        return self.pool(self.relu(self.norm(self.convolution(x))))


class SceneLayers(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.convolutions = nn.Sequential(Block(128, 64, (10, 1)), Block(64, 16, (5, 1)))
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(160, 4)

    def forward(self, x):
        return self.output(self.dropout(self.convolutions(x).flatten(1)))


class EventLayers(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.gru = nn.GRU(128, 32, batch_first=True, bidirectional=True)
        self.hidden = nn.Linear(64, 32)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(32, 25)

    def forward(self, x):
        states, _ = self.gru(x.squeeze(3).transpose(1, 2))
        return self.output(self.dropout(F.relu(self.hidden(states))))


class Teacher(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.convolutions = nn.Sequential(
            Block(1, 128, (8, 8)), Block(128, 128, (4, 4)), Block(128, 128, (2, 2))
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(896, 4)

    def forward(self, x):
        return self.output(self.dropout(self.convolutions(x).flatten(1)))


class Student(nn.Module):
    def __init__(self, dropout, scene_branch):
        super().__init__()
        self.shared = nn.Sequential(
            Block(1, 128, (1, 8)), Block(128, 128, (1, 4)), Block(128, 128, (1, 2))
        )
        self.event = EventLayers(dropout)
        self.scene = SceneLayers(dropout) if scene_branch else None

    def forward(self, x):
        x = self.shared(x)
        return self.event(x), None if self.scene is None else self.scene(x)


def network(kind, dropout):
    """One of ``teacher``, ``crnn``, ``mtl`` and ``soft``."""
    return Teacher(dropout) if kind == "teacher" else Student(dropout, kind != "crnn")


def loss(kind, model, clips):
    """Loss of a step; clips are features, lengths, targets, scenes and the teacher's logits."""
    features, lengths, targets, scenes, soft = clips
    valid = torch.arange(features.shape[1], device=features.device) < lengths[:, None]
    x = (features * valid[:, :, None])[:, None]
    if kind == "teacher":
        return F.cross_entropy(model(x), scenes)
    y, w = model(x)
    total = F.binary_cross_entropy_with_logits(y[valid], targets[valid].float())
    if kind == "mtl":
        total = total + F.cross_entropy(w, scenes)
    if kind == "soft":
        total = total - (soft.softmax(1) * w.log_softmax(1)).sum(1).mean()
    return total

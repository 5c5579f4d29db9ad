"""A training of a second: small networks on seven clips of noise."""

import numpy as np
import pandas as pd
import torch
from softscene.features.clips import Clips
from softscene.models.networks import NetworkParameters

SIZE = NetworkParameters(channels=4, scene_channels=(3, 2), gru_units=4, dense_units=4, events=3)
CPU = torch.device("cpu")
SOFT = torch.from_numpy(np.random.default_rng(1).normal(size=(7, 4)).astype(np.float32))


def make_clips():
    rng = np.random.default_rng(0)
    lengths = np.array([500, 500, 500, 120, 500, 500, 30])
    features = rng.normal(size=(7, 500, 64)).astype(np.float32)
    targets = rng.random((7, 500, 3)) < 0.2
    for clip, length in enumerate(lengths):
        features[clip, length:] = 0
        targets[clip, length:] = False
    return Clips(pd.DataFrame(), features, lengths, targets, np.array([0, 1, 2, 3, 0, 1, 2]))

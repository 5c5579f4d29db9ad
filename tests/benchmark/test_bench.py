"""The benchmark runs, and its comparison notices a trainer that is not the plain one."""

from dataclasses import replace
from math import isnan

import pandas as pd
import pytest
import torch
from softscene.models.fused import convolution_block, input_block
from torch import nn

from tests.benchmark import bench, comparison
from tests.benchmark.trainers import KINDS, Softscene

pytestmark = pytest.mark.slow

CHECKS = {
    name: replace(check, batch=2, tolerances=dict(check.tolerances))
    for name, check in comparison.CHECKS.items()
}


def found(name, trainer=Softscene, kind="mtl", steps=2):
    return comparison.differences(CHECKS[name], kind, 1, steps, trainer)


class OtherPooling(Softscene):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.network.shared[1].forward = self._mean
        self.block = self.network.shared[1]

    def _mean(self, x):
        maps = self.block.norm(self.block.convolution(x))
        return nn.functional.relu(nn.functional.avg_pool2d(maps, self.block.pool))


class OtherRate(Softscene):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.optimiser.param_groups[0]["lr"] *= 1.1


class NoNumbers(Softscene):
    """Of every loss, and of the gradient of the last parameter."""

    def step(self, batch):
        super().step(batch)
        list(self.network.parameters())[-1].grad.fill_(float("nan"))
        return float("nan")


@pytest.mark.parametrize(
    ("name", "kind"), [*(("single", kind) for kind in KINDS), ("double", "mtl")]
)
def test_the_trainer_is_the_plain_one(name, kind):
    assert comparison.within(CHECKS[name], found(name, kind=kind))


@pytest.mark.parametrize("name", CHECKS)
def test_another_pooling_is_noticed(name):
    differences = found(name, OtherPooling, steps=1)
    assert differences["losses"] > CHECKS[name].tolerances["losses"]
    assert not comparison.within(CHECKS[name], differences)


def test_another_learning_rate_is_noticed():
    differences = found("double", OtherRate)
    assert differences["losses"] > CHECKS["double"].tolerances["losses"]


def test_losses_and_gradients_that_are_no_numbers_are_noticed():
    differences = found("single", NoNumbers, steps=1)
    assert isnan(differences["losses"])
    assert isnan(differences["gradients"])
    assert not comparison.within(CHECKS["single"], differences)


def test_a_variance_that_is_not_the_unbiased_one_is_noticed(monkeypatch):
    def biased(norm, mean, variance, count):
        input_block.update_statistics(norm, mean, variance * ((count - 1) / count), count)

    monkeypatch.setattr(convolution_block, "update_statistics", biased)
    differences = found("double", steps=1)
    assert differences["losses"] <= CHECKS["double"].tolerances["losses"]
    assert differences["statistics"] > CHECKS["double"].tolerances["statistics"]


def test_what_is_not_a_number_does_not_pass():
    check = comparison.CHECKS["single"]
    assert not comparison.within(check, dict.fromkeys(check.tolerances, float("nan")))


def test_a_run_prints_its_table_and_writes_it(tmp_path, capsys):
    target = tmp_path / "made" / "step.tsv"
    options = {"repeat": 1, "steps": 2, "batch": 2, "threads": 1, "kinds": "mtl", "compared": 1}
    size = [f"--{name}={value}" for name, value in options.items()]
    assert bench.main([*size, f"--target={target}"]) == 0
    table = pd.read_csv(target, sep="\t").set_index("trainer")
    assert list(table.index) == ["reference", "softscene", "floor"]
    assert (table["steps"] == 2).all()
    assert (table["lower_quartile"] <= table["seconds"]).all()
    assert (table["seconds"] <= table["upper_quartile"]).all()
    assert table["epoch_seconds"].tolist() == pytest.approx((381.5 * table["seconds"]).tolist())
    assert (table["peak_bytes"] > 1e8).all()
    printed = capsys.readouterr().out
    ratio = table["seconds"]["reference"] / table["seconds"]["softscene"]
    assert f" {ratio:.2f} " in printed
    assert printed.count(": good") == 2


def test_a_difference_ends_the_run_with_1(monkeypatch):
    monkeypatch.setattr(comparison, "CHECKS", {"single": CHECKS["single"]})
    monkeypatch.setitem(CHECKS["single"].tolerances, "losses", -1.0)
    assert bench.main(["--repeat=0", "--threads=1", "--kinds=mtl", "--compared=1"]) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_cuda_its_measurement_is_skipped(capsys):
    assert bench.main(["--device", "cuda"]) == 0
    assert "no CUDA device" in capsys.readouterr().out

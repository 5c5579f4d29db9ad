"""The benchmark runs, and its comparison notices a trainer that is not the plain one."""

import subprocess
import sys
from dataclasses import replace
from math import isnan

import pandas as pd
import pytest
import torch
from softscene.models.fused import convolution_block, input_block
from torch import nn

from tests.benchmark import bench, comparison, page, rounds, side_by_side, step, tables
from tests.benchmark.report import ROOT
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
    ("name", "kind"),
    [*(("single", kind) for kind in KINDS), ("double", "mtl"), ("bfloat16", "mtl")],
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


SMALL = ["--batch=2", "--kinds=mtl", "--compared=1", "--precision=float32"]


def test_a_run_prints_its_table_and_writes_it(tmp_path, capsys):
    folder = tmp_path / "made"
    sizes = ["--rounds=1", "--steps=2", "--threads=1,2", "--minutes=60", f"--folder={folder}"]
    assert bench.main([*SMALL, *sizes]) == 0
    table = pd.read_csv(folder / "step.tsv", sep="\t")
    assert table.trainer.tolist() == [*["reference"] * 2, *["softscene"] * 2, *["floor"] * 2]
    assert table.threads.tolist() == [1, 2] * 3
    assert (table["steps"] == 2).all()
    assert (table["lower_quartile"] <= table["seconds"]).all()
    assert (table["seconds"] <= table["upper_quartile"]).all()
    assert table["epoch_seconds"].tolist() == pytest.approx((381.5 * table["seconds"]).tolist())
    assert (table["peak_bytes"] > 1e8).all()
    printed = capsys.readouterr().out
    for column in ("seconds", "processor_seconds"):
        assert f" {table[column][1] / table[column][3]:.2f} " in printed
    assert printed.count(": good") == 2


def test_a_difference_ends_the_run_with_1(monkeypatch, capsys):
    monkeypatch.setitem(comparison.CHECKS, "single", CHECKS["single"])
    monkeypatch.setitem(CHECKS["single"].tolerances, "losses", -1.0)
    assert bench.main([*SMALL, "--minutes=0", "--threads=1"]) == 1
    assert "no time was left for: mtl reference float32, mtl softscene" in capsys.readouterr().out


def test_peak_memory_is_that_of_the_process_and_not_its_parents():
    kept = b"x" * 10**9
    case = step.Case("softscene", "teacher", "float32", 1, 2, "cpu")
    found = step.measured([case], step.Effort(warm_up=0, steps=1, seconds=0, clips=2))
    assert found["peak_bytes"].max() < len(kept)


def test_rounds_end_when_the_time_is_used(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(rounds.time, "monotonic", lambda: now[0])
    shares = []

    def measure(group, seconds):
        shares.append((group, seconds))
        now[0] += {"slow": 30, "quick": 10}[group]
        return group

    found, left_out = rounds.in_rounds(["slow", "quick"], measure, rounds.Budget(95), 9)
    assert found == ["slow", "quick", "slow", "quick", "quick"]  # 15 s are too few for the slow one
    assert shares[:2] == [("slow", 47.5), ("quick", 65)]
    assert left_out == []
    found, left_out = rounds.in_rounds(["slow", "quick"], measure, rounds.Budget(20), 9)
    assert (found, left_out) == (["slow"], ["quick"])


def test_threads_that_wait_sleep_as_in_a_job(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    statement = "import tests.benchmark, os; print(os.environ['OMP_WAIT_POLICY'])"
    command = [sys.executable, "-c", statement + "; import sys; print('torch' in sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["passive", "False"]


@pytest.mark.parametrize("trainer", ["reference", "softscene"])
def test_a_whole_training_is_timed(trainer):
    case = step.Case(trainer, "soft", "float32", 1, 2, "cpu")
    found = step.measure(case, step.Effort(warm_up=1, steps=2, seconds=0, clips=3, epochs=1))
    assert len(found["seconds"]) == len(found["processor_seconds"]) == 1, "its seconds are used"
    assert found["epoch_seconds"] > 0


def test_the_plain_trainer_in_bfloat16_is_close_to_float32():
    """Its products are rounded to 2^-9, and it is not the same."""

    class Narrow(Softscene):
        def __init__(self, kind, threads, data, device, **options):
            self.plain = comparison.Reference(kind, threads, data, device, **options)
            self.network, self.whole = self.plain.network, data

        def step(self, chosen):
            return self.plain.step([each[chosen] for each in self.whole])

    check = replace(comparison.CHECKS["bfloat16"], batch=4)
    found = comparison.differences(check, "mtl", 1, 1, Narrow)
    assert found["losses"] > 1e-5
    assert comparison.within(check, found)


def test_clips_a_second_are_those_of_epochs_that_ended_while_all_trained():
    assert side_by_side.rate([12, 14, 17], 100, start=10, end=16) == 200 / 4
    assert side_by_side.rate([17], 100, start=10, end=16) == 100 / 7, "one epoch at least"


def test_trainings_run_side_by_side():
    case = step.Case("softscene", "crnn", "float32", 1, 2, "cpu")
    table = side_by_side.measure(case, number=2, seconds=0.2, together=(1, 2))
    assert table.together.tolist() == [1, 2]
    assert (table.clips_a_second > 0).all()


def test_a_training_side_by_side_that_fails_ends_the_run():
    case = step.Case("nobody", "crnn", "float32", 1, 2, "cpu")
    with pytest.raises(SystemExit, match="ended with 1"):
        side_by_side.measure(case, number=2, seconds=0.2, together=(1,))


def gpu_steps():
    """Of a card that nobody has: a step of the plain trainer takes 0.3 s, in bfloat16 0.2 s."""
    seconds = {
        ("reference", "float32"): 0.3,
        ("reference", "bfloat16"): 0.2,
        ("softscene", "float32"): 0.1,
        ("softscene", "bfloat16"): 0.05,
        ("floor", "bfloat16"): 0.04,
    }
    made = {"kind": "mtl", "threads": 1, "batch": 64, "device": "cuda", "processor_seconds": 0.01}
    return pd.DataFrame(
        {**made, "trainer": trainer, "precision": precision, "seconds": value, "peak_bytes": 2e9,
         "epoch_seconds": None if trainer == "floor" else 12 * value}
        for (trainer, precision), value in seconds.items()
    )  # fmt: skip


def test_a_gpu_is_compared_in_the_same_precision_and_with_float32():
    table = tables.readable_gpu(tables.summary(gpu_steps()))
    assert table["ms a step"].tolist() == ["300.0", "200.0", "100.0", "50.0", "40.0"]
    assert table["times faster"].tolist() == ["1.00", "1.00", "3.00", "4.00", "5.00"]
    assert table["than in float32"].tolist() == ["1.00", "1.50", "3.00", "6.00", "7.50"]
    assert table["min for 300"].tolist() == ["18.0", "12.0", "6.0", "3.0", ""]


def test_tables_of_a_gpu_are_written_into_the_page(tmp_path, monkeypatch):
    text = "".join(f"<!-- {name} -->\nold\n<!-- end -->\n" for name in page.MEASURED)
    (tmp_path / "page.md").write_text(text)
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    tables.summary(gpu_steps()).to_csv(tmp_path / "gpu.tsv", sep="\t", index=False)
    measured = {"clips_a_second": [1000.0, 1500.0], "allocated_bytes": [3e9, 3e9]}
    made = {"kind": "mtl", "precision": "float32", "batch": 64, "together": [1, 2]}
    more = {"reserved_bytes": 4e9, "used_bytes": [4.5e9, 4.5e9]}
    side = pd.DataFrame(made | measured | more)
    side.to_csv(tmp_path / "side_by_side.tsv", sep="\t", index=False)
    page.main(page.MEASURED, tmp_path)
    step_part, gpu, together = (tmp_path / "page.md").read_text().split("<!-- end -->\n")[:3]
    assert "old" in step_part, "there is no such file"
    assert "old" not in gpu
    assert "| 50.0 " in gpu
    assert "| 1.50 " in together


def test_a_gpu_has_one_process_for_each_trainer():
    options = bench.parsed(["--device=cuda", "--kinds=teacher,mtl"])
    options.precisions = bench.precisions(options)
    groups = bench.groups_of(options)
    assert [{case.trainer for case in group} for group in groups] == [
        {"reference"}, {"softscene"}, {"floor"},
    ]  # fmt: skip
    assert {case.precision for case in groups[0]} == {"float32", "tf32", "bfloat16"}
    assert {case.batch for case in groups[1]} == {64}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_cuda_its_measurement_is_skipped(capsys):
    assert bench.main(["--device", "cuda"]) == 0
    assert "no CUDA device" in capsys.readouterr().out

"""The cluster that the other tests here need is one of two nodes."""

import pytest


@pytest.mark.cluster
def test_two_jobs_run_on_both_nodes_at_once(cluster, tmp_path):
    script = f"(date +%s.%N; sleep 1; date +%s.%N) > {tmp_path}/$SLURMD_NODENAME"
    array = cluster.submit(script, "--array=1-2", "--cpus-per-task=2", "--mem=100")

    def done():
        return [each for each in cluster.jobs("COMPLETED") if each.id.startswith(f"{array}_")]

    cluster.wait_until(lambda: len(done()) == 2, 30, "both jobs are done")
    assert {(each.cpus, each.memory_mb) for each in done()} == {(2, 100)}
    times = [map(float, (tmp_path / name).read_text().split()) for name in ("n1", "n2")]
    begins, ends = zip(*times, strict=True)
    assert max(begins) < min(ends)

"""The main job as a user runs it, on whichever PySpark the interpreter has: nothing here imports the package."""

import json
from pathlib import Path

from tests.e2e.demo import expected_lines, result_files, result_lines, run_batchscore, settings


def test_every_score_is_that_of_the_model_called_directly(demo: Path) -> None:
    keys = settings(demo, "direct", id="direct", split_bytes="40000", **{"spark.master": "local[2]"})

    summary = run_batchscore("run", *keys)

    assert (summary["Status"], summary["TotalRecordCount"], summary["InvalidRecordCount"]) == ("COMPLETED", 3000, 0)
    for name in ("customers-1.csv", "customers-2.csv"):
        assert result_lines(demo / "direct", "direct", name) == expected_lines(demo, name)
    manifest = json.loads((demo / "direct/batch-prediction/direct.manifest").read_text())
    assert manifest == {
        f"file://{demo}/input/{name}": f"file://{demo}/direct/batch-prediction/result/direct-{name}/"
        for name in ("customers-1.csv", "customers-2.csv")
    }
    assert not (demo / "direct/batch-prediction/in-progress").exists()


def test_one_core_and_a_cluster_of_two_executors_write_the_same_bytes(demo: Path) -> None:
    for output, master in (("one", "local[1]"), ("two", "local-cluster[2,1,1024]")):
        run_batchscore("run", *settings(demo, output, id="same", split_bytes="30000", **{"spark.master": master}))

    assert len(result_files(demo / "one")) > 4
    assert result_files(demo / "one") == result_files(demo / "two")


def test_describe_and_list_show_the_record_that_run_wrote(demo: Path) -> None:
    keys = settings(demo, "shown", id="shown", **{"spark.master": "local[1]"})
    summary = run_batchscore("run", *keys)

    record = run_batchscore("describe", "shown", "--json", f"output={demo}/shown")

    assert record == {name: summary[name] for name in record}
    assert [record] == run_batchscore("list", "--status", "COMPLETED", "--json", f"output={demo}/shown")
    assert run_batchscore("list", "--status", "FAILED", "--json", f"output={demo}/shown") == []


def test_the_same_id_again_reports_the_finished_job_and_with_other_parameters_is_refused(demo: Path) -> None:
    keys = settings(demo, "again", id="again", **{"spark.master": "local[1]"})
    first = run_batchscore("run", *keys)
    before = result_files(demo / "again")

    assert run_batchscore("run", *keys)["FinishedAt"] == first["FinishedAt"]
    run_batchscore("run", *keys, "threshold=0.9", expected_code=2)

    assert result_files(demo / "again") == before

"""The page that a real job leaves, held in a real browser against the job's own results in full precision."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from playwright.sync_api import Browser

from tests.browser.opened import opened, require_chromium
from tests.e2e.demo import register_demo, run_batchscore, settings

require_chromium()

KEYS = ["Home", *["PageUp"] * 4, "ArrowRight", "ArrowRight", "PageUp", "PageUp", "PageUp", "End"]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a job over customers of whom it is known whether they took the offer."""
    folder = tmp_path_factory.mktemp("job")
    register_demo(folder, records=2000)
    rng = np.random.default_rng(1)
    for path in (folder / "input").iterdir():
        customers = pd.read_csv(path)
        customers.assign(took=(customers["duration"] > rng.normal(350, 150, len(customers))).astype(int)).to_csv(
            path, index=False
        )
    keys = {"id": "job", "precision": "full", "target": "took", "threshold": "0.37", "spark.master": "local[2]"}
    run_batchscore("run", *settings(folder, "output", **keys))
    return folder / "output" / "batch-prediction"


def results_of(job: Path) -> pd.DataFrame:
    parts = sorted((job / "result").rglob("part-*.csv.gz"))
    return pd.concat([pd.read_csv(part, float_precision="round_trip") for part in parts])


def test_at_its_stops_the_page_counts_as_the_results_in_full_precision_do(browser: Browser, job: Path) -> None:
    results = results_of(job)
    scores, labels = results["score"].to_numpy(), results["trueLabel"].to_numpy()
    with opened(browser, job / "job.report.html") as found:
        page, seen = found.page, set()
        assert yaml.safe_load(page.inner_text("#line")) == {"threshold": 0.37}
        assert found.number("ones") == results["bestAnswer"].sum()
        page.focus("#stop")
        for key in KEYS:
            page.keyboard.press(key)
            threshold = yaml.safe_load(page.inner_text("#line"))["threshold"]
            answers = scores >= threshold
            assert (found.number("ones"), found.number("zeros")) == (answers.sum(), (~answers).sum())
            assert page.inner_text("#wrong-ones") == f"{(answers & (labels == 0)).sum():,} of label 0 answered 1"
            assert page.inner_text("#missed") == f"{(~answers & (labels == 1)).sum():,} of label 1 answered 0"
            seen.add(threshold)
        stops = json.loads(page.text_content("#cutoffs") or "")["thresholds"]
        assert len(seen) >= 10
        assert {0.37, *seen} <= set(stops)
        assert found.faults == []

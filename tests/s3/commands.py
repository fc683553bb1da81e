"""Commands of the CLI, one after another on one Spark, in a process of its own: ``python -m tests.s3.commands FILE``.

FILE holds ``spark``, the settings, and ``commands``, the arguments of each by name. The exit codes are written to
FILE.codes.
"""

import functools
import json
import sys
from pathlib import Path

from batchscore import cli, job
from batchscore.config import make_config
from batchscore.session import BackgroundSpark


def run(path: Path) -> None:
    """Run the commands of a file."""
    given = json.loads(path.read_text())
    config = make_config({"model": "models:/none/1", "input": "none", "output": "none", "spark": given["spark"]})
    with BackgroundSpark(config, None) as background:
        background.start()
        job.run_job = functools.partial(job.run_job, spark=background.session())
        codes = {}
        for name, arguments in given["commands"].items():
            print(f"== {name}", flush=True)
            codes[name] = cli.main(arguments)
    Path(f"{path}.codes").write_text(json.dumps(codes))


if __name__ == "__main__":
    run(Path(sys.argv[1]))

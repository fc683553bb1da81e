"""Commands of the CLI, one after another on one Spark, in a process of its own: ``python -m tests.s3.commands FILE``.

FILE holds ``spark``, the settings, and ``commands``, the arguments of each by name. The exit codes are written to
FILE.codes. ``alter`` in place of a command of the CLI changes what an earlier one has written.
"""

import functools
import gzip
import hashlib
import json
import sys
from pathlib import Path

import boto3

from batchscore import cli
from batchscore.commands import run as run_module
from batchscore.config.job_config import make_config
from batchscore.spark.session import BackgroundSpark


def run(path: Path) -> None:
    """Run the commands of a file."""
    given = json.loads(path.read_text())
    config = make_config({"model": "models:/none/1", "input": "none", "output": "none", "spark": given["spark"]})
    with BackgroundSpark(config, None) as background:
        background.start()
        run_module.run_job = functools.partial(run_module.run_job, spark=background.session())
        codes = {}
        for name, arguments in given["commands"].items():
            print(f"== {name}", flush=True)
            codes[name] = alter(*arguments[1:]) if arguments[0] == "alter" else cli.main(arguments)
    Path(f"{path}.codes").write_text(json.dumps(codes))


def alter(bucket: str, manifest_key: str, old: str, new: str) -> int:
    """Replace text in the files of a job that hold it, and their digests in its manifest; returns 0 if any does."""
    s3 = boto3.client("s3")

    def read(key: str) -> bytes:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    manifest = json.loads(read(manifest_key))
    code = 1
    for file in [file for item in manifest["inputs"] for file in (*item["parts"], *item["rejected"])]:
        key = file["uri"].removeprefix(f"s3://{bucket}/")
        text = gzip.decompress(read(key)).decode()
        if old in text:
            content = gzip.compress(text.replace(old, new).encode())
            file |= {"sha256": hashlib.sha256(content).hexdigest(), "file_size_in_bytes": len(content)}
            s3.put_object(Bucket=bucket, Key=key, Body=content)
            code = 0
    s3.put_object(Bucket=bucket, Key=manifest_key, Body=json.dumps(manifest).encode())
    return code


if __name__ == "__main__":
    run(Path(sys.argv[1]))

"""The command line: run, verify, describe, list, check, clean."""

from __future__ import annotations

import argparse
import io
import json
import logging
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from batchscore import __version__
from batchscore.commit.job_record import STATUSES, BatchPrediction
from batchscore.config import uris
from batchscore.config.job_config import (
    JobConfig,
    OutputConfig,
    check_id,
    load_config,
    load_output_config,
    s3_settings,
)
from batchscore.environment import process_kept
from batchscore.errors import BatchScoreError, ConfigError, InputError, TransientReadError, describe_without_content
from batchscore.output.paths import EXTENDED_MANIFEST_END, RECORD_END, Outputs
from batchscore.process import LOG_FORMAT, hide_warnings, signals_as_errors, temporary_folder
from batchscore.storage.factory import storage_for


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; see docs/operating.md for the codes."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    overrides = [*getattr(options, "overrides", []), *rest]
    unknown = [argument for argument in overrides if argument.startswith("-")]
    if unknown:
        parser.error(f"unrecognized arguments: {uris.without_credentials(' '.join(unknown))}")
    options.overrides = overrides
    with process_kept(), _names_that_are_no_text():
        _log_to_stderr()
        hide_warnings()
        return _run_command(options)


@contextmanager
def _names_that_are_no_text() -> Iterator[None]:
    """Let stdout take any name of a file."""
    stdout = sys.stdout
    if not isinstance(stdout, io.TextIOWrapper):
        yield
        return
    before = stdout.errors
    stdout.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        with suppress(OSError):  # whoever read it is gone: what is printed next says so
            stdout.reconfigure(errors=before)


def _run_command(options: argparse.Namespace) -> int:
    """Run a command and return its exit code; errors are told on stderr."""
    try:
        code: int = options.command(options)
    except BatchScoreError as error:
        print(f"batchscore: {type(error).__name__}: {error}", file=sys.stderr)
        if error.record:
            print(json.dumps(error.record), flush=True)
        return error.exit_code
    except Exception as error:
        traceback.print_tb(error.__traceback__)
        print(f"batchscore: unforeseen {describe_without_content(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("batchscore: stopped; run the same id again to go on", file=sys.stderr)
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="batchscore", description="Score CSV with an MLflow model on Spark.")
    parser.add_argument("--version", action="version", version=f"batchscore {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, function: Any, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(command=function)
        command.add_argument("--config", metavar="FILE", help="a YAML file, local or s3://")
        return command

    run = add("run", _run, "score the inputs of a configuration")
    run.add_argument("--dry-run", action="store_true", help="only verify")
    verify = add("verify", _verify, "check a configuration, its model and its inputs, and print the plan")
    for command in (run, verify):
        command.add_argument("--full", action="store_true", help="verify: read the inputs whole, not a sample")
        command.add_argument("--json", action="store_true", help="verify: print JSON")
    describe = add("describe", _describe, "print the record of a batch prediction")
    describe.add_argument("id", metavar="ID")
    listing = add("list", _list, "print the records of all batch predictions of an output")
    listing.add_argument("--status", choices=STATUSES)
    check = add("check", _check, "read the inputs and results of a finished job again and prove that they agree")
    check.add_argument("id", metavar="ID")
    check.add_argument("--sample", type=_sample, metavar="N", help="read N parts, or a fraction of them below 1")
    clean = add("clean", _clean, "list what unfinished jobs have left behind, and remove it with --yes")
    clean.add_argument("--older-than", metavar="AGE", default="7d", help="such as 36h, 7d (the default) or 2w")
    clean.add_argument("--yes", action="store_true", help="remove what is listed")
    for command in (describe, listing, check, clean):
        command.add_argument("--json", action="store_true", help="print JSON")
    for command in (run, verify, describe, listing, check, clean):
        command.add_argument("overrides", nargs="*", metavar="key=value", help="a key of the configuration")
    return parser


def _log_to_stderr() -> None:
    logger = logging.getLogger("batchscore")
    logger.setLevel(logging.INFO)
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter(LOG_FORMAT))
        logger.addHandler(handler)
        logger.propagate = False


def _config_text(options: argparse.Namespace) -> str:
    """Return the configuration's text; one on S3 is read with the usual AWS settings and the arguments of ``s3``."""
    path: str | None = options.config
    if path is None:
        return ""
    settings = s3_settings(options.overrides)
    try:
        uri = uris.canonical_uri(path)
    except ValueError as error:  # a URI that is refused is not repeated
        raise ConfigError(f"configuration: {error}") from error
    try:
        return storage_for(uri, settings).read(uri).decode()
    except InputError as error:
        raise ConfigError(f"configuration {path}: {error}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"configuration {path}: expected UTF-8, got something else") from None


def _run(options: argparse.Namespace) -> int:
    if options.dry_run:
        return _verify(options)
    config = load_config(_config_text(options), options.overrides)
    from batchscore.commands.run import run_job

    print(json.dumps(run_job(config)), flush=True)
    return 0


def _verify(options: argparse.Namespace) -> int:
    config: JobConfig = load_config(_config_text(options), options.overrides)
    from batchscore.commands.report_text import describe_plan, render_review
    from batchscore.commands.verify import review_job

    with signals_as_errors(), temporary_folder() as folder:
        review = review_job(config, folder, options.full)
    print(json.dumps(describe_plan(review)) if options.json else render_review(review))
    return review.exit_code


def _describe(options: argparse.Namespace) -> int:
    config = load_output_config(_config_text(options), options.overrides)
    outputs = Outputs(config.output, check_id(options.id), "parts")
    record = _read_record(outputs.record, config)
    if options.json:
        print(json.dumps(record.to_dict()))
    else:
        for name, value in record.to_dict().items():
            print(f"{name:<28} {value}")
    return 0


def _read_record(uri: str, config: OutputConfig) -> BatchPrediction:
    return BatchPrediction.from_json(storage_for(uri, config.s3).read(uri), uri)


def _read_records(config: OutputConfig) -> Iterator[BatchPrediction]:
    """Yield the records of an output, and tell on stderr what has a record's name and is none."""
    folder = Outputs(config.output, "", "parts").folder + "/"
    for item in storage_for(folder, config.s3).list_folder(folder):
        if not _is_record(item.uri):
            continue
        try:
            yield _read_record(item.uri, config)
        except TransientReadError:
            raise
        except InputError as error:
            print(f"batchscore: passed over: {error}", file=sys.stderr)


def _list(options: argparse.Namespace) -> int:
    config = load_output_config(_config_text(options), options.overrides)
    chosen = [record for record in _read_records(config) if options.status in (None, record.Status)]
    if options.json:
        print(json.dumps([record.to_dict() for record in chosen]))
        return 0
    from batchscore.commands.readable import table

    titles = [
        "BatchPredictionId",
        "Status",
        "CreatedAt",
        "TotalRecordCount",
        "InvalidRecordCount",
        "MLModelId",
    ]
    rows = [[record.to_dict().get(title, "") for title in titles] for record in chosen]
    print("\n".join(table(titles, rows)))
    return 0


def _sample(text: str) -> float:
    with suppress(ValueError):
        sample = float(text)
        if 0 < sample < 1 or (sample.is_integer() and sample >= 1):
            return sample
    raise argparse.ArgumentTypeError(f"expected a whole number of parts or a fraction below 1, got {text}")


def _check(options: argparse.Namespace) -> int:
    config = load_output_config(_config_text(options), options.overrides)
    from batchscore.commands.check import check_job
    from batchscore.commands.report_text import describe_check, render_check

    report = check_job(check_id(options.id), config, options.sample)
    print(json.dumps(describe_check(report)) if options.json else render_check(report), flush=True)
    report.raise_if_failed()
    return 0


def _clean(options: argparse.Namespace) -> int:
    config = load_output_config(_config_text(options), options.overrides)
    from batchscore.commands.clean import find_leftovers, parse_age, remove_leftovers
    from batchscore.commands.report_text import describe_leftovers, render_leftovers

    leftovers = find_leftovers(config, parse_age(options.older_than), time.time())
    removed = remove_leftovers(config, leftovers) if options.yes else None
    found = leftovers.objects
    print(json.dumps(describe_leftovers(found, removed)) if options.json else render_leftovers(found, removed))
    return 0


def _is_record(uri: str) -> bool:
    return uri.endswith(RECORD_END) and not uri.endswith(EXTENDED_MANIFEST_END)


if __name__ == "__main__":
    sys.exit(main())

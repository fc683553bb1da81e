"""The requests to EMR and EMR Serverless that conf/emr holds, against the parameter models that botocore carries."""

import json
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

REPOSITORY = Path(__file__).parents[2]
REQUESTS = REPOSITORY / "conf/emr"
ENVIRONMENT_PYTHON = "./environment/bin/python"
ARCHIVE = "s3://example-code/batchscore/environment.tar.gz#environment"
# What lies beyond 16 bits, as Java's patterns spell it and as Python's do.
_BEYOND_UTF_16 = (r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")


def read(name: str) -> Any:
    return json.loads((REQUESTS / name).read_text())


def as_api_step(step: dict[str, Any]) -> dict[str, Any]:
    """Return what `aws emr add-steps` makes of a step of type CUSTOM_JAR."""
    assert set(step) == {"Type", "Name", "ActionOnFailure", "Jar", "Args"}
    assert step["Type"] == "CUSTOM_JAR"
    jar = {"Jar": step["Jar"], "Args": step["Args"]}
    return {"Name": step["Name"], "ActionOnFailure": step["ActionOnFailure"], "HadoopJarStep": jar}


def texts(shape: Any, value: Any) -> Iterator[tuple[Any, str]]:
    """Yield every text of a request with its shape."""
    if shape.type_name == "structure":
        for name, inner in value.items():
            yield from texts(shape.members[name], inner)
    elif shape.type_name == "list":
        for inner in value:
            yield from texts(shape.member, inner)
    elif shape.type_name == "string":
        yield shape, value


def faults(service: str, operation: str, request: dict[str, Any]) -> list[str]:
    """Return what is wrong with a request: names, types, lengths, words and patterns."""
    shape: Any = get_session().get_service_model(service).operation_model(operation).input_shape
    report: str = ParamValidator().validate(request, shape).generate_report()
    if report:
        return report.splitlines()
    found = []
    for inner, text in texts(shape, request):
        pattern = str(inner.metadata.get("pattern", ".*")).replace(*_BEYOND_UTF_16)
        if inner.enum and text not in inner.enum:
            found.append(f"{inner.name}: {text} is none of {inner.enum}")
        if not re.fullmatch(pattern, text, re.DOTALL):
            found.append(f"{inner.name}: {text} does not match {pattern}")
    return found


def request(name: str) -> tuple[str, str, dict[str, Any]]:
    """Return service, operation and parameters of a file as the command line of AWS sends it."""
    if name == "steps.json":
        return "emr", "AddJobFlowSteps", {"JobFlowId": "j-EXAMPLE", "Steps": [as_api_step(step) for step in read(name)]}
    operation = {"serverless-application.json": "CreateApplication", "serverless-job.json": "StartJobRun"}[name]
    return "emr-serverless", operation, read(name) | {"clientToken": "one-of-its-own"}


@pytest.mark.parametrize("name", sorted(path.name for path in REQUESTS.iterdir()))
def test_a_request_to_emr_fits_the_parameters_of_its_operation(name: str) -> None:
    assert faults(*request(name)) == []


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"jobDrivers": {}}, 'Unknown parameter in input: "jobDrivers"'),
        ({"executionTimeoutMinutes": "12 h"}, "Invalid type for parameter executionTimeoutMinutes"),
        ({"executionRoleArn": "role/batchscore-of-the-account"}, "does not match"),
        ({"mode": "FAST"}, "is none of"),
    ],
)
def test_a_request_with_another_name_type_pattern_or_word_is_a_fault(changed: dict[str, Any], fault: str) -> None:
    service, operation, parameters = request("serverless-job.json")
    assert any(fault in line for line in faults(service, operation, parameters | changed))


def options(words: list[str]) -> dict[str, str]:
    """Return the settings that are given to spark-submit by --conf."""
    return dict(word.split("=", 1) for option, word in pairwise(words) if option == "--conf")


def test_a_step_gives_driver_and_executors_the_python_of_the_archive() -> None:
    [step] = read("steps.json")
    assert step["Args"][:5] == ["spark-submit", "--deploy-mode", "cluster", "--archives", ARCHIVE]
    settings = options(step["Args"])
    for name in ("spark.yarn.appMasterEnv.PYSPARK_PYTHON", "spark.executorEnv.PYSPARK_PYTHON", "spark.pyspark.python"):
        assert settings[name] == ENVIRONMENT_PYTHON


def test_a_serverless_job_gives_driver_and_executors_the_python_of_the_archive() -> None:
    driver = read("serverless-job.json")["jobDriver"]["sparkSubmit"]
    settings = options(shlex.split(driver["sparkSubmitParameters"]))
    assert settings["spark.archives"] == ARCHIVE
    for name in ("driverEnv.PYSPARK_DRIVER_PYTHON", "driverEnv.PYSPARK_PYTHON"):
        assert settings[f"spark.emr-serverless.{name}"] == ENVIRONMENT_PYTHON
    assert settings["spark.executorEnv.PYSPARK_PYTHON"] == ENVIRONMENT_PYTHON


def test_both_run_the_same_program_with_the_same_arguments() -> None:
    [step] = read("steps.json")
    driver = read("serverless-job.json")["jobDriver"]["sparkSubmit"]
    assert step["Args"][-4:] == [driver["entryPoint"], *driver["entryPointArguments"]]


def test_the_page_of_operating_names_every_request() -> None:
    text = (REPOSITORY / "docs/operating.md").read_text()
    assert [path.name for path in REQUESTS.iterdir() if f"conf/emr/{path.name}" not in text] == []

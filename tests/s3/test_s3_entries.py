"""What an entry of ``input`` names on S3, and which requests that takes."""

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from batchscore.config.job_config import JobConfig
from batchscore.errors import InputError
from batchscore.plan import naming_root
from batchscore.preflight.discovery import find_schema, list_inputs
from tests.s3.proxy import Proxy, refuse

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.usefixtures("aws_variables")


def put(s3: "S3Client", bucket: str, *keys: str) -> None:
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"" if key.endswith(("/", "$")) else b"a\n1\n")


def config_of(proxy: Proxy, bucket: str, *entries: str, **keys: Any) -> JobConfig:
    places = {"input": [f"s3://{bucket}/{entry}" for entry in entries], "output": "s3://out/x"}
    return JobConfig.model_validate({"model": "models:/m/1", "s3": {"endpoint": proxy.endpoint}, **places, **keys})


def keys_of(proxy: Proxy, bucket: str, *entries: str) -> list[str]:
    sources, _ = list_inputs(config_of(proxy, bucket, *entries))
    return [source.uri.removeprefix(f"s3://{bucket}/") for source in sources]


def listings(proxy: Proxy) -> list[tuple[str | None, bool]]:
    """Return prefix and whether folders were passed over, of each listing that was asked for."""
    seen = [dict(parse_qsl(request.query, keep_blank_values=True)) for request in proxy.seen("GET")]
    return [(query.get("prefix"), "delimiter" in query) for query in seen if "list-type" in query]


@pytest.mark.parametrize(
    ("entry", "keys", "prefix", "is_flat"),
    [
        ("in/*.csv", ["in/2024-1.csv", "in/a.csv"], "in/", True),
        ("in/2024-*.csv", ["in/2024-1.csv"], "in/2024-", True),
        ("in/?.csv", ["in/a.csv"], "in/", True),
        ("in/2024-0[12]/*.csv", ["in/2024-01/a.csv", "in/2024-02/a.csv"], "in/2024-0", False),
        ("in/2024-0*/", ["in/2024-01/a.csv", "in/2024-01/deep/b.csv", "in/2024-02/a.csv"], "in/2024-0", False),
        ("in/2024-**b.csv", ["in/2024-01/deep/b.csv"], "in/2024-", False),
        ("*.csv", ["top.csv"], "", True),
        ("i*/a.csv", ["in-other/a.csv", "in/a.csv"], "i", False),
    ],
)
def test_a_glob_is_one_listing_of_its_longest_literal_prefix(
    entry: str, keys: list[str], prefix: str, is_flat: bool, proxy: Proxy, s3: "S3Client", bucket: str
) -> None:
    others = ["top.csv", "in/a.csv", "in/2024-1.csv", "in/2024-01/a.csv", "in/2024-01/deep/b.csv", "in/2024-02/a.csv"]
    put(s3, bucket, *others, "in-other/a.csv", "in/b.txt")
    assert keys_of(proxy, bucket, entry) == keys
    of_its_name, *of_the_glob = listings(proxy)
    assert of_its_name == (entry if entry.endswith("/") else f"{entry}/", False)
    assert set(of_the_glob) == {(prefix, is_flat)}


@pytest.mark.parametrize(
    ("entry", "real", "matched"),
    [
        ("in/a[1].csv", "in/a[1].csv", "in/a1.csv"),
        ("in/*", "in/*", "in/x"),
        ("in/what?", "in/what?", "in/whats"),
        ("day[1]", "day[1]/a.csv", "day1"),
        ("day[1]/", "day[1]/a.csv", "day1/a.csv"),
        ("d*/x[1].csv", "d*/x[1].csv", "day/x1.csv"),
    ],
)
def test_an_object_or_folder_of_the_entrys_name_goes_before_what_the_glob_matches(
    entry: str, real: str, matched: str, proxy: Proxy, s3: "S3Client", bucket: str
) -> None:
    put(s3, bucket, matched)
    assert keys_of(proxy, bucket, entry) == [matched]
    put(s3, bucket, real)
    assert keys_of(proxy, bucket, entry) == [real]


def test_a_named_object_is_asked_for_alone(proxy: Proxy, s3: "S3Client", bucket: str) -> None:
    put(s3, bucket, "in/a[1].csv", "in/a[1].csv/b.csv", "in/_x.csv")
    assert keys_of(proxy, bucket, "in/a[1].csv", "in/_x.csv") == ["in/a[1].csv", "in/_x.csv"]
    assert [request.method for request in proxy.requests] == ["HEAD", "HEAD"]


def test_a_bare_folder_is_the_folder_of_that_name_alone(proxy: Proxy, s3: "S3Client", bucket: str) -> None:
    put(s3, bucket, "in/", "in/a.csv", "in/sub/b.csv", "in-other/c.csv", "in.csv", "in_$folder$", "in/sub_$folder$")
    config = config_of(proxy, bucket, "in")
    sources, skipped = list_inputs(config)
    place = f"s3://{bucket}/in"
    assert [source.uri for source in sources] == [f"{place}/a.csv", f"{place}/sub/b.csv"]
    assert skipped == [(f"{place}/", "folder marker"), (f"{place}/sub_$folder$", "folder marker")]
    assert naming_root(config.input, [source.uri for source in sources]) == f"{place}/"


@pytest.mark.parametrize("entry", ["in", "in/", "in/*.csv", "in/**/a.csv"])
def test_the_schema_in_the_folder_of_the_entry_is_found(entry: str, proxy: Proxy, s3: "S3Client", bucket: str) -> None:
    put(s3, bucket, "in/a.csv")
    schema = b'{"attributes": [{"attributeName": "a", "attributeType": "NUMERIC"}]}'
    s3.put_object(Bucket=bucket, Key="in/.schema", Body=schema)
    config = config_of(proxy, bucket, entry)
    sources, _ = list_inputs(config)
    assert [source.uri for source in sources] == [f"s3://{bucket}/in/a.csv"]
    assert find_schema(config, [source.uri for source in sources])[0] is not None


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            "imput/",
            "expected files to score, got none: there is no such folder; near it lie s3://{}/input/, s3://{}/input-2/",
        ),
        (
            "input/a.cvs",
            "expected files to score, got none: there is no such file or folder; near it lie s3://{}/input/a.csv",
        ),
        ("void/", "expected files to score, got none: the folder holds nothing"),
        ("void", "expected files to score, got none: the folder holds nothing"),
        ("void/*", "expected files to score that the glob matches, got none; s3://{}/void/ holds nothing"),
        ("input/*.gz", "expected files to score that the glob matches, got none; s3://{}/input/ holds a.csv, sub/"),
    ],
)
def test_what_is_not_there_is_told_with_what_lies_near(
    entry: str, told: str, proxy: Proxy, s3: "S3Client", bucket: str
) -> None:
    put(s3, bucket, "input/a.csv", "input/sub/b.csv", "input-2/a.csv", "void/", "zzz/a.csv")
    with pytest.raises(InputError) as caught:
        keys_of(proxy, bucket, "zzz/", entry)
    place = f"s3://{bucket}/{entry}"
    assert str(caught.value) == f"input {place}: {told.replace('{}', bucket)}"


def test_an_empty_bucket_and_one_that_is_not_there_are_told(proxy: Proxy, bucket: str) -> None:
    with pytest.raises(InputError, match=f"input s3://{bucket}/: expected files to score, got none$"):
        keys_of(proxy, bucket, "")
    with pytest.raises(InputError, match="NoSuchBucket"):
        keys_of(proxy, f"{bucket}-none", "in/*.csv")


def test_a_folder_whose_bare_name_may_not_be_asked_for_is_listed(proxy: Proxy, s3: "S3Client", bucket: str) -> None:
    """As where a policy gives ``in/*``: S3 then says 403 of the object ``in``, which is not there."""
    put(s3, bucket, "in/a.csv")
    proxy.play("HEAD", bucket, refuse(403, "403"))
    assert keys_of(proxy, bucket, "in") == ["in/a.csv"]
    with pytest.raises(InputError, match=f"object s3://{bucket}/on: expected permission to read, got 403"):
        keys_of(proxy, bucket, "on")


def test_a_refused_listing_is_told_and_is_not_taken_for_an_empty_folder(
    proxy: Proxy, s3: "S3Client", bucket: str
) -> None:
    put(s3, bucket, "in/a.csv")
    proxy.play("GET", bucket, refuse(403, "AccessDenied"))
    for entry in ("in/", "in/*.csv", "in"):
        with pytest.raises(InputError, match="expected permission to read, got AccessDenied"):
            keys_of(proxy, bucket, entry)

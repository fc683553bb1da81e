"""The store that a URI lies in."""

from __future__ import annotations

from batchscore.config import uris
from batchscore.config.job_config import S3Settings
from batchscore.storage.base import Storage


def storage_for(uri: str, s3: S3Settings) -> Storage:
    """Return the store in which a canonical URI lies; one of local files writes below that URI alone."""
    # Imported here, so that a job that needs no S3 does not wait for boto3.
    if uris.is_s3(uri):
        from batchscore.storage.s3 import S3Storage

        return S3Storage(s3)
    from batchscore.storage.local import LocalStorage

    return LocalStorage(uris.local_path(uri))

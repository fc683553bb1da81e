"""Batch predictions at cluster size: score CSV on S3 with an MLflow model on Spark."""

from importlib.metadata import version

__version__ = version("batchscore")

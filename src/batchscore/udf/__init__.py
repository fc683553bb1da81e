"""A registered model as a pandas UDF, for people with DataFrames of their own."""

from batchscore.udf.function import predict_udf

__all__ = ["predict_udf"]

"""The ways of scoring that are compared, each a program of its own with the arguments of `bench.ways.job`."""

"""How far predictions are from their labels, in sums that are added in the order of the splits (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from batchscore.profile.buckets import FloatArray

_EPSILON = float(np.finfo(np.float64).eps)
_FACTORS = 512  # mantissas from 0.5 to 1: their product is at least 2 ** -512, far from where digits are lost


@dataclass(slots=True)
class ClassLoss:
    """Of a classifier: sums of -log P(label), and of (score - label) squared where there is one score."""

    log_loss: float = 0.0
    squared: float = 0.0

    def count(self, of_labels: FloatArray) -> None:
        """Add records by what the model gave to their label."""
        self.log_loss -= sum_of_logs(np.clip(of_labels, _EPSILON, 1 - _EPSILON))
        self.squared += float(np.add.reduce((1 - of_labels) ** 2))

    def add(self, other: ClassLoss) -> None:
        """Add those of a later split."""
        self.log_loss += other.log_loss
        self.squared += other.squared


@dataclass(slots=True)
class NumberLoss:
    """Of a regression: sums over score less label, and count, mean and squared deviations of the labels."""

    count_: int = 0
    error: float = 0.0
    absolute: float = 0.0
    squared: float = 0.0
    mean: float = 0.0
    deviations: float = 0.0

    def count(self, labels: FloatArray, errors: FloatArray) -> None:
        """Add some records."""
        if len(labels) == 0:
            return
        with np.errstate(over="ignore", invalid="ignore"):  # what is no number then is written as null
            mean = labels[0] + np.add.reduce(labels - labels[0]) / len(labels)  # exact where all are one
            error, absolute, squared = [float(np.add.reduce(item)) for item in (errors, np.abs(errors), errors**2)]
            deviations = np.add.reduce((labels - mean) ** 2)
        self.add(NumberLoss(len(labels), error, absolute, squared, float(mean), float(deviations)))

    def add(self, other: NumberLoss) -> None:
        """Add those of a later split; the deviations as Chan, Golub and LeVeque (1979) add up variances."""
        if other.count_ == 0:
            return
        count, apart = self.count_ + other.count_, other.mean - self.mean
        # Divided first: the square of large labels has no float64, and Python raises where numpy gives infinity.
        self.deviations += other.deviations + apart * (apart * (self.count_ / count * other.count_))
        self.mean += apart * (other.count_ / count)
        self.count_ = count
        self.error += other.error
        self.absolute += other.absolute
        self.squared += other.squared


def sum_of_logs(numbers: FloatArray) -> float:
    """Return the sum of the logarithms of positive numbers: exponents as whole numbers, mantissas multiplied.

    One logarithm for hundreds of numbers, by the C library: numpy's own is another on each kind of processor.
    """
    mantissas, exponents = np.frexp(numbers)
    whole = len(mantissas) // _FACTORS * _FACTORS
    products = np.multiply.reduce(mantissas[:whole].reshape(_FACTORS, -1), axis=0).tolist()
    products.append(float(np.multiply.reduce(mantissas[whole:])))
    return math.fsum(map(math.log, products)) + int(exponents.sum(dtype=np.int64)) * math.log(2)

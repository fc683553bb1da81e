"""What the installed versions of models' libraries can, of those that setup.cfg allows."""

import sklearn
import xgboost


def _version(module: object) -> tuple[int, ...]:
    return tuple(int(part) for part in str(getattr(module, "__version__", "")).split(".")[:2])


XGBOOST_HOLDS_CATEGORIES = _version(xgboost) >= (3, 1)
"""Whether its files hold the pandas categories of training."""

ENCODERS_WARN = _version(sklearn) >= (1, 6)
"""Whether encoders have ``handle_unknown="warn"``."""

import os

from hypothesis import HealthCheck, settings

# HYPOTHESIS_PROFILE=soak is for `make soak-fuzz`, brief for Pythons beside the one of the environment. A minute for one
# example is a hang.
settings.register_profile("test", max_examples=100, deadline=None)
settings.register_profile("brief", max_examples=10, deadline=None)
settings.register_profile(
    "soak", max_examples=20_000, deadline=60_000, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "test"))

"""How hard Hypothesis works: in CI and on a desk the same; a failure prints the blob that repeats it."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

_QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile("ci", max_examples=200, deadline=None, derandomize=False, print_blob=True, suppress_health_check=_QUIET)

PROFILE = settings.get_profile("ci")
MACHINE = settings(PROFILE, stateful_step_count=30)

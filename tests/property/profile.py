"""How hard Hypothesis works: in CI and on a desk the same; a failure prints the blob that repeats it."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

_QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile("ci", max_examples=200, deadline=None, derandomize=False, print_blob=True, suppress_health_check=_QUIET)

PROFILE = settings.get_profile("ci")
MACHINE = settings(PROFILE, stateful_step_count=30)


def live(examples: int, steps: int) -> settings:
    """Return settings of runs against a real hub, where an example costs half a second: no explanations, which cost hundreds of them."""
    phases = [phase for phase in Phase if phase is not Phase.explain]
    return settings(PROFILE, max_examples=examples, stateful_step_count=steps, database=None, phases=phases, report_multiple_bugs=False)

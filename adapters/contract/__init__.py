"""What every adapter must do, as tests: run over the provinces here and over a province of another distribution alike.

Needs pytest and Hypothesis (`deltahub[contract]`).
"""

import pytest

# So that a failed assertion of a suite that came as a package shows its values, as one in a test file does.
for _name in ("exchange", "mapping", "reading", "results", "samples", "source"):
    pytest.register_assert_rewrite(f"adapters.contract.suite_{_name}")

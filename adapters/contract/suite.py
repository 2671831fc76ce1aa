"""The whole contract. A test module of an adapter has two fixtures and one import:

from adapters.contract.suite import *

@pytest.fixture
def adapter() -> Adapter: ...           # the adapter under test

@pytest.fixture
def source_bench(tmp_path) -> SourceBench: ...   # the province's system, or a stand-in (adapters/contract/bench.py)
"""

from __future__ import annotations

from types import ModuleType

from adapters.contract import suite_exchange, suite_mapping, suite_reading, suite_results, suite_samples, suite_source


def _tests(*modules: ModuleType) -> dict[str, object]:
    found: dict[str, object] = {}
    for module in modules:
        for name, value in vars(module).items():
            if name.startswith("test_"):
                assert found.setdefault(name, value) is value, f"two tests are called {name}"
    return found


_ALL = _tests(suite_samples, suite_reading, suite_mapping, suite_results, suite_source, suite_exchange)
globals().update(_ALL)
__all__ = list(_ALL)

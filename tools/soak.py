"""Runs the proofs of the clearing core over and over, each time from another seed, for some minutes: `python tools/soak.py 30`.

Crash matrix, kills of hub, database and broker, deadlines, disturbances, clocks, full disk, fuzzing, batches beside sequences, contention,
linearizability, settlement, properties, and the live hub beside its model. Stops at the first failure and says how to repeat it.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUITES = (
    "tests/integration/test_clocks.py",
    "tests/integration/test_crash_matrix.py",
    "tests/integration/test_crash_matrix_roles.py",
    "tests/integration/test_deadlines.py",
    "tests/integration/test_disturbances.py",
    "tests/integration/test_disk_full.py",
    "tests/integration/test_fuzz.py",
    "tests/integration/test_hub_batch.py",
    "tests/integration/test_hub_crash.py",
    "tests/integration/test_hub_stream.py",
    "tests/integration/test_ledger_committer.py",
    "tests/integration/test_ledger_contention.py",
    "tests/integration/test_ledger_memory.py",
    "tests/integration/test_ledger_sequence.py",
    "tests/integration/test_ledger_wire.py",
    "tests/integration/test_linearizability.py",
    "tests/integration/test_messaging_crash.py",
    "tests/integration/test_settlement_contention.py",
    "tests/property",
)
LONG = {
    "YRD_FUZZ_EXAMPLES": "300",
    "YRD_ROUNDS": "60",
    "YRD_SEQUENCE_ROUNDS": "12",
    "YRD_LIVE_EXAMPLES": "300",
    "YRD_LIVE_MUTANTS": "9",
    "YRD_DATABASE_TIMES": "5",
    "YRD_CRASH_LANES_APART": "1",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", type=float, help="a round that has begun is finished, so it may take a few more")
    parser.add_argument("--seed", type=int, help="start from this seed, to repeat a round")
    arguments = parser.parse_args()
    end, seed, rounds = time.monotonic() + arguments.minutes * 60, arguments.seed, 0
    while rounds == 0 or time.monotonic() < end:
        seed = random.randrange(1, 2**31) if seed is None else seed
        print(f"soak: round {rounds + 1}, seed {seed}", flush=True)
        if _round(seed) != 0:
            print(f"soak: failed; again with `{Path(sys.executable).name} tools/soak.py 1 --seed {seed}`", flush=True)
            return 1
        seed, rounds = None, rounds + 1
    print(f"soak: {rounds} rounds passed", flush=True)
    return 0


def _round(seed: int) -> int:
    environment = {**os.environ, **LONG, "YRD_TEST_SEED": str(seed)}
    command = [sys.executable, "-m", "pytest", "-q", "-x", f"--hypothesis-seed={seed}", *SUITES]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

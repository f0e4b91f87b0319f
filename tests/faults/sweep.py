"""Sweep faults over every operation: ``python -m tests.faults.sweep --errors 20000 --kills 1000``.

Errors are injected at every call in turn that writes, flushes, closes, truncates, renames, makes
or removes something, with ENOSPC and EIO, once and for all calls after it; kills before and after
such calls and in the middle of a write.
"""

from __future__ import annotations

import argparse
import errno
import math
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults.trials import (
    ALL,
    DIE_AFTER,
    DIE_BEFORE,
    FAIL,
    KINDS,
    TEAR,
    Fault,
    Trials,
    compiled_shim,
    temporary_folder,
)


def every_error(trials: Trials, operation: str) -> Iterator[Fault]:
    """Yield every error of every call, the kinds in turn."""
    for kinds in KINDS.values():
        for number in range(1, trials.count(operation, kinds) + 1):
            for error in (errno.ENOSPC, errno.EIO):
                for sticky in (False, True):
                    yield Fault(kinds, FAIL, number, error, sticky)
                if kinds == KINDS["write"]:
                    yield Fault(kinds, TEAR, number, error)


def every_kill(trials: Trials, operation: str) -> Iterator[Fault]:
    """Yield a kill before and after every call, and in every write."""
    for number in range(1, trials.count(operation, ALL) + 1):
        yield Fault(ALL, DIE_BEFORE, number)
        yield Fault(ALL, DIE_AFTER, number)
    for number in range(1, trials.count(operation, KINDS["write"]) + 1):
        yield Fault(KINDS["write"], TEAR, number)


def sweep(
    trials: Trials,
    operations: list[str],
    *,
    errors: int,
    kills: int,
    seconds: float,
    seed: int = 0,
) -> None:
    """Run faults in random order until there are enough, all were run, or their time is up.

    The time begins with the first fault: counting the calls first takes what it takes. Where one
    pass is not enough it begins again: what names and moments are random differs.
    """
    draw, deadline = random.Random(seed), math.inf
    while True:
        faults = [
            (operation, fault)
            for operation in operations
            for source, wanted in (
                (every_error, trials.report.errors < errors),
                (every_kill, trials.report.kills < kills),
            )
            if wanted
            for fault in source(trials, operation)
        ]
        draw.shuffle(faults)
        deadline = min(deadline, time.monotonic() + seconds)
        for operation, fault in faults:
            if time.monotonic() > deadline:
                return
            done, wanted = (
                (trials.report.kills, kills) if fault.is_kill else (trials.report.errors, errors)
            )
            if done < wanted:
                trials.run(operation, fault)
                _tell(trials)
        if trials.report.errors >= errors and trials.report.kills >= kills:
            return


def _tell(trials: Trials) -> None:
    """Say from time to time how far a long sweep is, so that one that is stopped has a result."""
    if sum(trials.report.ends.values()) % 250 == 0:
        lines = [*trials.report.failures[-20:], str(trials.report)]
        sys.stderr.write("\n".join(lines) + "\n")
        sys.stderr.flush()


def main() -> int:
    """Run the sweep that the arguments describe and say what it found."""
    from tests.faults.operations import OPERATIONS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--errors", type=int, default=20_000, help="Errors to inject.")
    parser.add_argument("--kills", type=int, default=1_000, help="Kills.")
    parser.add_argument("--minutes", type=float, default=60, help="Time limit.")
    parser.add_argument("--seed", type=int, default=0, help="Seed of the order.")
    parser.add_argument("operations", nargs="*", help=f"Of: {', '.join(OPERATIONS)}.")
    options = parser.parse_args()
    with temporary_folder() as name:
        shim = compiled_shim(Path(name))
        if shim is None:
            sys.stderr.write("no C compiler: nothing can be injected\n")
            return 1
        with Trials(Path(name), shim) as trials:
            sweep(
                trials,
                options.operations or list(OPERATIONS),
                errors=options.errors,
                kills=options.kills,
                seconds=60 * options.minutes,
                seed=options.seed,
            )
    for failure in trials.report.failures:
        sys.stdout.write(f"{failure}\n")
    sys.stdout.write(f"{trials.report}\n")
    return 1 if trials.report.failures else 0


if __name__ == "__main__":
    sys.exit(main())

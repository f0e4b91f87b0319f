"""``kosim`` in a process whose workers of a study count as killed after seconds without a sign."""

from __future__ import annotations

from unittest import mock

from kosim.experiments.cli import main

INTERVAL, GRACE = 1, 8

if __name__ == "__main__":
    with mock.patch.multiple("kosim.experiments.tuning.heartbeat", INTERVAL=INTERVAL, GRACE=GRACE):
        main(prog_name="kosim")

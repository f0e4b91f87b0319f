"""``kosim`` in a process whose workers of a study count as killed after seconds without a sign.

What they train is as small as in the process of the tests.
"""

from __future__ import annotations

from unittest import mock

import pytest

from kosim.experiments.cli import main
from tests.experiments.conftest import build_less

INTERVAL, GRACE = 1, 8

if __name__ == "__main__":
    heartbeat = "kosim.experiments.tuning.heartbeat"
    with (
        mock.patch.multiple(heartbeat, INTERVAL=INTERVAL, GRACE=GRACE),
        pytest.MonkeyPatch.context() as patch,
    ):
        build_less(patch)
        main(prog_name="kosim")

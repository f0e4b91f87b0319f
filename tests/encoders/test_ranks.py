"""A process that torchrun did not start is alone; one that was knows its number."""

from __future__ import annotations

from pathlib import Path

import pytest

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.training import ranks


@pytest.fixture
def second_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("TORCHELASTIC_RUN_ID", "x"), ("RANK", "1"), ("WORLD_SIZE", "3")):
        monkeypatch.setenv(name, value)


def test_a_process_of_its_own_is_the_main_one() -> None:
    assert (ranks.rank(), ranks.world_size()) == (0, 1)
    assert ranks.is_main()


def test_variables_of_other_launchers_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert (ranks.rank(), ranks.world_size()) == (0, 1)


def test_torchrun_says_which_process_this_is(second_of_three: None) -> None:
    assert (ranks.rank(), ranks.world_size()) == (1, 3)
    assert not ranks.is_main()
    assert not ranks.has_joined()


def test_alone_nothing_is_waited_for() -> None:
    ranks.join()
    ranks.barrier()
    assert not ranks.has_joined()
    assert ranks.on_main(lambda: 3) == 3


def test_alone_an_error_is_what_it_was() -> None:
    def fail() -> None:
        raise DataError("no pairs")

    with pytest.raises(DataError, match="no pairs"):
        ranks.on_main(fail)


def test_a_folder_that_a_node_does_not_see_is_refused(
    second_of_three: None, tmp_path: Path
) -> None:
    ranks.check_shared(tmp_path)
    with pytest.raises(ConfigError, match="process 1 of 3 does not see"):
        ranks.check_shared(tmp_path / "elsewhere")

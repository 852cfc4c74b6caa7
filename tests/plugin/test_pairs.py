"""`--lem-ab` in a session: both sides within each test, what is said of them, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

SUITE = """
    import pytest

    @pytest.mark.parametrize("batch_size", [1, 2])
    def test_decode(inference, batch_size):
        assert inference().output_tokens > 0
"""
#: How much slower B is: three times the work for a token.
SLOWER = "--lem-ab=ngram.cpu_s:0.001,0.003"
SPEED = "--lem-fail-on=output_throughput_tok_s:5"
BRIEF = ("--lem-set=pair.pairs=7", "--lem-set=measure.min_window_s=0", "--lem-promise=1000")


def test_a_side_that_is_slower_fails_its_test(engine: Any, lem: Any, stored: Any) -> None:
    """It is flagged, measured again with fresh loads, and named with the change that was made."""
    result = lem(SUITE, SLOWER, SPEED, *BRIEF)
    result.assert_outcomes(failed=2)
    print(result.stdout.str())
    assert 0

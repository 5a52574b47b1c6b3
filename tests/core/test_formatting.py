"""Sizes and durations read the same everywhere."""

import pytest

from mlm_gui.core.formatting import describe_duration, format_bytes, format_duration


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_500, "1.5 kB"),
        (2_400_000, "2.4 MB"),
        (24_000_000, "24 MB"),
        (420_000_000, "420 MB"),
        (2_500_000_000, "2.5 GB"),
        (2_500_000_000_000, "2,500 GB"),
    ],
)
def test_a_size_has_its_largest_unit_and_two_digits_or_more(count, said):
    assert format_bytes(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(None, "–"), (9.6, "0:10"), (70, "1:10"), (3_670, "1:01:10")]
)
def test_a_duration_reads_as_on_a_clock(seconds, said):
    assert format_duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "1 second"),
        (1.4, "1 second"),
        (24, "24 seconds"),
        (100, "1.7 minutes"),
        (7200, "2.0 hours"),
    ],
)
def test_a_duration_in_words_has_one_unit(seconds, said):
    assert describe_duration(seconds) == said

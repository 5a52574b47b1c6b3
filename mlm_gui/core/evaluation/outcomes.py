"""The verdicts of an evaluation, and how much text a verdict needs."""

BETTER = "better"
SAME = "no measurable change"
WORSE = "worse"
NO_VERDICT = "no verdict"
MIN_CLUSTERS = 8
"""Different paragraphs that a verdict needs.

With five or fewer even the clearest result has p = 2 / 2^5 > 0.05, and an interval that is
resampled from a handful of paragraphs is too narrow.
"""
MIN_MASKS = 200
"""Blanks that a verdict needs, all draws together.

With fewer, a share of right guesses is uncertain by more than 7 in 100.
"""
CUTS = (1, 5, 10)
"""The cloze test counts the right word among this many first guesses."""

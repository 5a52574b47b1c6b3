"""What an exam may find."""

BETTER, SAME, WORSE = "better", "no measurable change", "worse"
NO_VERDICT = "no verdict"
MIN_CLUSTERS = 8
"""Paragraphs a verdict needs: with five or fewer even the clearest result has p = 2 / 2^5 > 0.05, and an interval resampled from a handful is too narrow."""
MIN_MASKS = 200
"""Blanks a verdict needs, all draws together: with fewer, a share of right guesses is uncertain by more than 7 in 100."""
CUTS = (1, 5, 10)
"""The cloze test counts the right word among this many first guesses."""

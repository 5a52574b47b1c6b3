"""What an exam may find."""

BETTER, SAME, WORSE = "better", "no measurable change", "worse"
NO_VERDICT = "no verdict"

"""How a blank is written in a sentence, and the limits of one question."""

import re

MAX_CHARACTERS = 5_000
"""Characters of one question."""
MAX_BLANKS = 20
"""Blanks of one question."""
BLANK = re.compile(r"\[MASK\]|<mask>|_{2,}|\[BLANK\]", re.IGNORECASE)
"""How a blank may be written, whatever the model's own mask token is."""

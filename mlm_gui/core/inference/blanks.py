"""How a blank is written in a sentence, and how much may be asked at once."""

import re

MAX_CHARACTERS = 5_000
"""Of one question."""
MAX_BLANKS = 20
"""In one question."""
BLANK = re.compile(r"\[MASK\]|<mask>|_{2,}|\[BLANK\]", re.IGNORECASE)
"""How a blank may be written, whatever the model's own mask token is."""

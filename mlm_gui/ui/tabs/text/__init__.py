"""Tab 1: the text."""

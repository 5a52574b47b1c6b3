"""Tab 2: the masks."""

"""Tab 6: the runs."""

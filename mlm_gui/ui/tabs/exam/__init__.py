"""Tab 5: the exam."""

"""Tab 4: base and tuned side by side."""

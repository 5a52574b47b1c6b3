"""Tab 3: training."""

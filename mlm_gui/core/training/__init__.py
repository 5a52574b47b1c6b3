"""The training loop, its plan, its events and their history."""

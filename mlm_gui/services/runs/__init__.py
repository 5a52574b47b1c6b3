"""A run is a folder: its job, its checkpoints, its training, its evaluation, its export."""

"""Work in the background: the training queue, evaluations, surprisal, preflight."""

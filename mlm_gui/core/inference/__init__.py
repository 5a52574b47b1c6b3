"""Questions to a model: blanks, joint filling, surprisal, shifts, probes."""

"""Questions to a model: blanks, joint filling, surprisal, shifts, pinned sentences."""

"""What a model learned: scores on held-out text, paired results, the cloze test, the verdict."""

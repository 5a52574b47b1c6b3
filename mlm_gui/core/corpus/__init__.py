"""The text: paragraphs, the split, near-duplicates, fragmentation."""

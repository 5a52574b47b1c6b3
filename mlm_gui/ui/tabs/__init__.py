"""One module or package a tab."""

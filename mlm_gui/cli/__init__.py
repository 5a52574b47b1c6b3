"""The commands of the shell: the same verbs as the page."""

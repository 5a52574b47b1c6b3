"""Components of our own over `gr.HTML`."""

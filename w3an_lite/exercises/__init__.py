"""One module of exercises a notebook, named after it; `checker` is what they share."""

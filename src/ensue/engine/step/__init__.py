"""One tick at a time: a whole network, written down once, as the compiled kernels run it."""

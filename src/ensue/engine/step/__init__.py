"""Step-by-step inference: a whole network, compiled once for the native kernels."""

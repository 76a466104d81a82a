"""Series of numbers in time: their frequency, how they are kept, and what a model is given of
them."""

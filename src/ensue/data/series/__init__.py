"""Time series of numbers: frequency, panel, backtest layout, and the windows that a model sees."""

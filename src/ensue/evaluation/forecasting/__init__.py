"""Evaluation of forecasts."""

"""How good forecasts were."""

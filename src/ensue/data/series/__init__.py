"""Series of numbers in time: their frequency, how they are kept, and what a model is given of them."""

from ensue.data.series.frequency import Frequency, calendar, read_frequency
from ensue.data.series.joining import counted_on, gone_on
from ensue.data.series.panel import Panel, Series, SeriesSettings

__all__ = ["Frequency", "Panel", "Series", "SeriesSettings", "calendar", "counted_on", "gone_on", "read_frequency"]

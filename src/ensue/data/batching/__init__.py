"""Arrays as batches, in an order that is known from the seed and the number of the epoch alone."""

from ensue.data.batching.contract import Feed
from ensue.data.batching.passage import Passage
from ensue.data.batching.records import Records
from ensue.data.batching.streams import Streams
from ensue.data.batching.wholes import Wholes, batch_of, in_order
from ensue.data.batching.windows import Windows

FEEDS: dict[str, type[Feed]] = {"streams": Streams, "windows": Windows, "records": Records, "passage": Passage}

__all__ = ["FEEDS", "Feed", "Passage", "Records", "Streams", "Wholes", "Windows", "batch_of", "in_order"]

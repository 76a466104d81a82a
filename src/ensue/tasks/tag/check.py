"""How `ensue check` reads the data of `tag`."""

from ensue.data.check.contract import Check
from ensue.data.check.tags import check_tags
from ensue.data.readers.tagged import TaggedSettings

CHECK = Check("tagged", {"data": TaggedSettings()}, check_tags)

"""Trees of a batch, level by level: which nodes can be computed together, and which level needs
what they give.

A node's level is the length of the longest way down from it, so leaves are level 0. Every node is
needed once, by the level of its parent: what a level gives is cut into pieces by where they go, and
the pieces that came to a level are its block. So nothing is copied while it waits, and a tree as
deep as it is large takes no longer than another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Level:
    """Nodes of one level; the rows of its block are counted from 1, and row 0 stands for no
    child."""

    nodes: Index
    """Which nodes these are, (nodes,), by their place in the padded batch, row after row; pieces
    stand together."""
    left: Index
    """The row of the first child of each, (nodes,)."""
    right: Index
    """The row of the second child, (nodes,)."""
    owner: Index
    """Whose child each row of the block but row 0 is, (children,): a place in `nodes`."""
    pieces: dict[int, int]
    """To which levels its nodes go, one piece after the other, and how many; roots go to 0,
    where no child is."""


def levels_of(parent: NDArray[np.integer], lengths: NDArray[np.integer]) -> list[Level]:
    """Plan a batch of trees; `parent` (batch, time) is each node's parent in its row, -1 of the
    root, children first.

    >>> [level.nodes.tolist() for level in levels_of(np.array([[2, 2, 4, 4, -1]]), np.array([5]))]
    [[0, 1, 3], [2], [4]]
    """
    batch, time = parent.shape
    there = np.flatnonzero(np.arange(time) < lengths[:, None])
    above = np.where(parent >= 0, parent + np.arange(batch)[:, None] * time, -1).ravel()
    height = _heights(above, there)
    to = np.where(above >= 0, height[above], 0)
    given = there[np.lexsort((to[there], height[there]))]
    children = there[above[there] >= 0]
    taken = children[np.lexsort((height[children], to[children]))]
    steps = np.arange(height[there].max() + 2)
    rank, row = np.zeros((2, batch * time), np.int64)
    firsts, begins = np.searchsorted(height[given], steps), np.searchsorted(to[taken], steps)
    rank[given] = np.arange(len(given)) - firsts[height[given]]
    row[taken] = np.arange(len(taken)) - begins[to[taken]] + 1
    sides = np.zeros((2, batch * time), np.int64)
    below = children[np.argsort(above[children], kind="stable")]
    first = np.diff(above[below], prepend=-1) != 0
    for side, which in zip(sides, (first, np.roll(first, 1) & ~first), strict=True):
        side[above[below[which]]] = row[below[which]]
    levels = []
    for step in steps[:-1]:
        nodes = given[firsts[step] : firsts[step + 1]]
        owner = rank[above[taken[begins[step] : begins[step + 1]]]]
        pieces = zip(
            *(one.tolist() for one in np.unique(to[nodes], return_counts=True)), strict=True
        )
        levels.append(Level(nodes, sides[0, nodes], sides[1, nodes], owner, dict(pieces)))
    return levels


def _heights(above: Index, there: Index) -> Index:
    """Let each node stand above its highest child; children come first, so one pass does."""
    height, parents = [0] * len(above), above.tolist()
    for node in there.tolist():
        if (parent := parents[node]) >= 0:
            height[parent] = max(height[parent], height[node] + 1)
    return np.array(height, np.int64)

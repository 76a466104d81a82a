"""Plans which tree nodes are computed together, level by level.

A node's level is the length of the longest path down from it, so leaves are level 0. Every node is
used once, by the level of its parent. The output of a level is cut into pieces by the level that
uses them; the pieces that reach a level are its block. So nothing is copied while it waits, and
deep trees take no longer than flat ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Level:
    """The nodes of one level. Rows of its block count from 1; row 0 stands for a missing child."""

    nodes: Index
    """Places of the nodes in the padded batch, (nodes,), row by row; nodes of a piece are adjacent.
    """
    left: Index
    """Block row of each node's first child, (nodes,)."""
    right: Index
    """Block row of each node's second child, (nodes,)."""
    owner: Index
    """Parent of each block row but row 0, (children,), as a place in `nodes`."""
    pieces: dict[int, int]
    """Number of nodes that each later level uses, in order. Roots go to 0, where no child is."""


def plan_levels(parent: NDArray[np.integer], lengths: NDArray[np.integer]) -> list[Level]:
    """Plan a batch of trees.

    `parent` (batch, time) is each node's parent in its row, -1 for the root. Children come first.

    >>> [level.nodes.tolist() for level in plan_levels(np.array([[2, 2, 4, 4, -1]]), np.array([5]))]
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
    """Compute the height of each node in one pass, as children come before parents."""
    height, parents = [0] * len(above), above.tolist()
    for node in there.tolist():
        if (parent := parents[node]) >= 0:
            height[parent] = max(height[parent], height[node] + 1)
    return np.array(height, np.int64)

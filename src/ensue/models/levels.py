"""Trees of a batch, level by level: which nodes can be computed together, and where their children wait.

A node's level is the length of the longest way down from it, so leaves are level 0. What level k has computed waits,
with whatever waited before it and is not yet used, as one block of rows that the next level reads from: no level
touches more than what is still of use.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Level:
    """Nodes of one level; the rows of the block before it are counted from 1, and row 0 stands for no child."""

    nodes: Index
    """Which nodes these are, (nodes,), by their place in the padded batch, row after row."""
    left: Index
    """The row of the first child of each, (nodes,)."""
    right: Index
    """The row of the second child, (nodes,)."""
    children: Index
    """The rows of all children, (children,)."""
    owner: Index
    """Whose child each is, (children,): a place in `nodes`."""
    carried: Index
    """The rows that go on waiting for a later level."""


def levels_of(parent: NDArray[np.integer], lengths: NDArray[np.integer]) -> list[Level]:
    """Plan a batch of trees; `parent` (batch, time) is each node's parent in its row, -1 of the root, children first.

    >>> [level.nodes.tolist() for level in levels_of(np.array([[2, 2, 4, 4, -1]]), np.array([5]))]
    [[0, 1, 3], [2], [4]]
    """
    batch, time = parent.shape
    real = np.arange(time) < lengths[:, None]
    rows = np.arange(batch)[:, None] * time
    above = np.where(real & (parent >= 0), parent + rows, -1).ravel()
    height = np.where(real.ravel(), 0, -1)
    order = np.argsort(above, kind="stable")
    children = order[np.searchsorted(above[order], 0) :]
    _raise(height, above, children)
    # Of a root nobody waits; its parent is above all levels.
    until = np.where(above >= 0, height[above], 0)
    place = np.zeros(batch * time, np.int64)
    waiting = np.zeros(0, np.int64)
    levels = []
    by_parent = height[above[children]]
    for level in range(int(height.max()) + 1):
        nodes = np.flatnonzero(height == level)
        mine = children[by_parent == level]
        number = np.zeros(batch * time, np.int64)
        number[nodes] = np.arange(len(nodes))
        owner = number[above[mine]]
        first = np.diff(owner, prepend=-1) != 0
        second = np.roll(first, 1) & ~first if len(first) else first
        sides = np.zeros((2, len(nodes)), np.int64)
        for side, which in zip(sides, (first, second), strict=True):
            side[owner[which]] = place[mine[which]]
        kept = waiting[until[waiting] > level]
        levels.append(Level(nodes, sides[0], sides[1], place[mine], owner, place[kept]))
        waiting = np.concatenate([nodes, kept])
        place[waiting] = np.arange(1, len(waiting) + 1)
    return levels


def _raise(height: Index, above: Index, children: Index) -> None:
    """Let each node stand above its highest child: as many passes as the highest tree has levels."""
    while True:
        wanted = height.copy()
        np.maximum.at(wanted, above[children], height[children] + 1)
        if (wanted == height).all():
            return
        height[:] = wanted

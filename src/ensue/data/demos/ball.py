"""Demo of balls that bounce in a box, simulated: forecast their paths."""

from __future__ import annotations

import numpy as np

BALLS, STEPS, SUBSTEPS = 24, 200, 20
GRAVITY, RESTITUTION, NOISE = 9.81, 0.98, 0.005
"""Gravity in m/s^2, share of the vertical speed after a bounce, and position error in metres."""
STEP = 0.04
"""Seconds between two positions."""


def simulate_balls() -> str:
    """Return the paths of balls with random starts in a box one metre wide: ball, step, x and y."""
    draws = np.random.Generator(np.random.Philox(4))
    rows = ["ball,step,x,y"]
    for number in range(1, BALLS + 1):
        place = draws.uniform([0.1, 0.4], [0.9, 1.0])
        speed = draws.uniform([-1.5, -0.5], [1.5, 1.5])
        for step in range(STEPS):
            x, y = place + draws.normal(0, NOISE, 2)
            rows.append(f"ball-{number:02d},{step + 1},{x:.4f},{y:.4f}")
            for _ in range(SUBSTEPS):
                speed[1] -= GRAVITY * STEP / SUBSTEPS
                place += speed * STEP / SUBSTEPS
                if (place[0] < 0) == (speed[0] < 0) and not 0 <= place[0] <= 1:
                    speed[0] = -speed[0]
                if place[1] < 0 and speed[1] < 0:
                    speed[1] = -RESTITUTION * speed[1]
                    place[1] = 0.0
    return "\n".join(rows) + "\n"

"""Write melodies made by rules, a table with a pitch and a duration per step, to standard output.

Pitches walk on a scale and return to its first note at the end of each phrase. Durations follow from
the pitch and the beat, times a deviation of 3 %, so that a model must learn both, and that they
depend on each other.
"""

import random

SCALE = ("C4", "D4", "E4", "F4", "G4", "A4", "B4", "C5")
TUNES, BEATS, PHRASE = 60, 40, 8


def main() -> None:
    draws = random.Random(3)
    print("tune,beat,pitch,duration")
    for tune in range(TUNES):
        at = draws.randrange(len(SCALE))
        for beat in range(BEATS):
            at = max(0, min(len(SCALE) - 1, at + draws.choice([-2, -1, -1, 0, 1, 1, 2])))
            if beat % PHRASE == PHRASE - 1:
                at = 0 if draws.random() < 0.8 else 4
            usual = 1.0 if SCALE[at].startswith("C") else 0.5 if beat % 2 else 0.25
            print(f"t{tune:02d},{beat + 1},{SCALE[at]},{usual * draws.gauss(1, 0.03):.3f}")


if __name__ == "__main__":
    main()

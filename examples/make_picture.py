"""How examples/labyrinth.png was made: v of a Gray–Scott pattern at rest, as a 16-bit picture.

The parameters stand here and nowhere in the picture: Du = 0.16, Dv = 0.08, F = 0.037, k = 0.060.
"""

from pathlib import Path

import unstill as us

system = us.GrayScott(Du=0.16, Dv=0.08, F=0.037, k=0.060)
run = us.simulate(system, grid=us.Grid((128, 128)), init="discs", seed=4, steps=100_000)
print(run.status[0], run.steps[0], run.drift[0])
us.save(Path(__file__).with_name("labyrinth.png"), us.Snapshots({"v": run.state[:, 1]}, run.grid))

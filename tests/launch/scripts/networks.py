"""Three networks, one after the other."""

import common_model
import nest

for _ in range(3):
    common_model.build()
    nest.Simulate(30.0)
    with nest.RunManager():
        nest.Run(30.0)
    print(nest.biological_time)

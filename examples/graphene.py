r"""
Graphene with defects
=====================

An STM image of a hexagonal lattice: pristine regions, and regions in which point defects have
raised an electronic superlattice. The paper's settings: 200 epochs, :math:`\beta` from 0.01 to 0.5
over 150 epochs and then constant, two to four classes, SL1 with :math:`w = 0.1` and SL2 with
:math:`w = 0.05`.

Run it as ``python examples/graphene.py``, on your own image with ``--image PATH``.
"""

# %%
# The image
# ---------

import experiment
import phyvae

arguments = experiment.options(__doc__, folder="graphene_figures")
truth = None
if arguments.image is None:
    phantom = phyvae.phantoms.graphene(shape=(456, 456), seed=0)
    grid = experiment.cut(phantom.image, arguments.size or 32, arguments.step or 16)
    truth = grid.sample(phantom.domains)
else:
    size = arguments.size or 48
    grid = experiment.cut(experiment.read(arguments.image), size, arguments.step or size // 2)
classes = arguments.classes or 3

# %%
# Training
# --------

epochs = 20 if arguments.quick else 200
study = experiment.Experiment(
    grid,
    arguments.folder,
    epochs=epochs,
    beta=phyvae.LinearBeta(0.01, 0.5, epochs=max(1, 3 * epochs // 4)),
    segment=lambda maps: phyvae.segment(maps, classes),
    truth=truth,
    model={"latent_dim": 2, "dx_prior": 0.3, "seed": 0, "device": arguments.device},
    trainer={"pixels": 0.25, "batch_size": 49, "seed": 0},
)
study.save("image_and_patches", phyvae.plot_patches(grid))
study.run("sh-VAE", None)
study.run("SL1, w = 0.1", phyvae.PhysicsObjective(phyvae.EdgeLoss(), w=0.1))
study.run("SL2, w = 0.05", phyvae.PhysicsObjective(phyvae.FourierLoss(), w=0.05))
print(study.table())

# %%
# Maps and domains of all objectives
# ----------------------------------
study.compare()

# %%
# The physics-driven result in full
# ---------------------------------
study.portrait("SL1, w = 0.1")

# %%
# Two, three and four classes, as in the paper's fig. 7.

maps = study.maps["SL1, w = 0.1"]
by_classes = {f"{n} classes": (maps, phyvae.segment(maps, n)) for n in (2, 3, 4)}
study.save("two_to_four_classes", phyvae.plot_comparison(by_classes, grid=grid))
print(f"Figures are in {arguments.folder}/")

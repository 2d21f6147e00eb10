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
# An STM scan has a few extreme pixels; without them the lattice takes up most of the range.
scaling = (1.0, 99.0)
if arguments.image is None:
    phantom = phyvae.phantoms.graphene(
        shape=(320, 320) if arguments.quick else (456, 456), seed=arguments.seed
    )
    grid = experiment.cut(phantom.image, arguments.size or 24, arguments.step or 12, scaling)
    truth = grid.sample(phantom.domains)
else:
    size = arguments.size or 36
    image = experiment.read(arguments.image)
    grid = experiment.cut(image, size, arguments.step or size // 2, scaling)
classes = arguments.classes or (3 if truth is None else 4)

# %%
# Training
# --------

epochs = 25 if arguments.quick else 200
study = experiment.Experiment(
    grid,
    arguments.folder,
    epochs=epochs,
    beta=phyvae.LinearBeta(0.01, 0.5, epochs=max(1, 3 * epochs // 4)),
    segment=lambda maps: phyvae.segment(maps, classes),
    truth=truth,
    model={"latent_dim": 2, "dx_prior": 0.3, "seed": arguments.seed, "device": arguments.device},
    trainer={
        "pixels": 0.25,
        "batch_size": 16 if arguments.quick else 25,
        "tile": 32,
        "seed": arguments.seed,
    },
)
study.save("image_and_patches", phyvae.plot_patches(grid))
study.run("sh-VAE", None)
study.run("SL1, w = 0.1", phyvae.PhysicsObjective(phyvae.EdgeLoss(), w=0.1))
if not arguments.quick:
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

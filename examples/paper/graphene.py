r"""
Graphene with defects
=====================

An STM image of a hexagonal lattice: pristine regions, and regions in which point defects have
raised an electronic superlattice. The paper's settings: 200 epochs, :math:`\beta` from 0.01 to 0.5
over 150 epochs and then constant, two to four classes, SL1 with :math:`w = 0.1` and SL2 with
:math:`w = 0.05`.

Run it as ``python examples/paper/graphene.py``, on your own image with ``--image PATH``.
"""

# %%
# The image
# ---------

import experiment

import phyvae

# `phyvae.suggest` finds the superlattice, whose period is √3 lattice constants: a patch holds two
# of its cells, and shifts reach as far. With the lattice's own period, the content latents would
# encode which of three cells a patch shows.
arguments = experiment.options(__doc__, folder="graphene_figures")
study = experiment.Experiment(arguments, phyvae.phantoms.graphene, nm=0.246 / 12.6)

# %%
# Training
# --------

epochs = 50 if arguments.quick else 200
beta = phyvae.LinearBeta(0.01, 0.5, epochs=3 * epochs // 4)
objectives = {
    "sh-VAE": None,
    "SL1, w = 0.1": phyvae.PhysicsObjective(phyvae.EdgeLoss(), w=0.1),
}
if not arguments.quick:
    objectives["SL2, w = 0.05"] = phyvae.PhysicsObjective(phyvae.FourierLoss(), w=0.05)
study.train(objectives, epochs=epochs, beta=beta, steps=2800)

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
by_classes = {f"{n} classes": (maps, study.matched(phyvae.segment(maps, n))) for n in (2, 3, 4)}
study.plot("two_to_four_classes", by_classes)
print(f"Figures are in {arguments.folder}/")

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

# The phantom's superlattice repeats after √3 lattice constants, and the shift must reach as far;
# else the content latents encode which of three cells a patch shows. In the real scan that was
# tried the lattice is the stronger pattern, so an image of your own starts with its period. Try
# ``--repeat 1.73``, too, and keep the run whose first factors stand out more.
arguments = experiment.options(__doc__, folder="graphene_figures", repeat=3**0.5)
# What changes slowly in an STM scan (tilt, drift, ripples) is subtracted, and its few extreme
# pixels are saturated. The lattice then takes up most of the range.
grid, truth = experiment.prepare(
    arguments, phyvae.phantoms.graphene, percentiles=(1.0, 99.0), flatten=True
)
classes = arguments.classes or (3 if truth is None else 4)

# %%
# Training
# --------

epochs = 50 if arguments.quick else 200
beta = phyvae.LinearBeta(0.01, 0.5, epochs=3 * epochs // 4)
study = experiment.Experiment(
    arguments, grid, truth, epochs=epochs, beta=beta, classes=classes, steps=2800
)
objectives = {
    "sh-VAE": None,
    "SL1, w = 0.1": phyvae.PhysicsObjective(phyvae.EdgeLoss(), w=0.1),
}
if not arguments.quick:
    objectives["SL2, w = 0.05"] = phyvae.PhysicsObjective(phyvae.FourierLoss(), w=0.05)
study.train(objectives)

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

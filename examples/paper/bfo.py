r"""
Ferroelectric variants of BiFeO3
================================

A substrate and a ferroelectric film with two polarisation variants, parted by a curved wall. The
variants differ in one thing only: where the Fe column sits between its neighbours. Patches are
cut at steps that do not match the lattice, so it sits differently in every patch, and a method
that knows no shifts would sort the patches by that.

We train a plain shift-invariant VAE and physics-driven ones, as in the paper for 50 epochs with
:math:`\beta` from 0.1 to 1: the edge loss SL1 with :math:`w = 0.1`; SL1 on maps that are denoised
with their own standard deviation, :math:`w = 0.5`; the Fourier loss SL2; and, as a control, SL1
*maximised* (the paper's fig. A4).

Run it as ``python examples/paper/bfo.py``, on your own image with ``--image PATH``.
"""

# %%
# The image
# ---------
# The phantom knows its true domains, so mistakes can be counted. `phyvae.suggest` chooses the
# patches by the unit cell of the image. The model first learns where the lattice sits in a patch
# and what distinguishes domains (`phyvae.align`); every training starts from there.

import experiment

import phyvae

arguments = experiment.options(__doc__, folder="bfo_figures")
study = experiment.Experiment(arguments, phyvae.phantoms.bfo, nm=0.396 / 12.6)

# %%
# Training
# --------
# The domains in the table are those of least wall energy on the two latent maps, see
# `phyvae.segment`.

epochs = 25 if arguments.quick else 50
beta = phyvae.LinearBeta(0.1, 1.0, epochs=epochs)
objectives = {
    "sh-VAE": None,
    "SL1, w = 0.1": phyvae.PhysicsObjective(phyvae.EdgeLoss(), w=0.1),
    "SL2, w = 0.1": phyvae.PhysicsObjective(phyvae.FourierLoss(), w=0.1),
}
if not arguments.quick:
    denoised = phyvae.EdgeLoss(sigma_color=None, sigma_spatial=1.0)
    maximised = phyvae.Maximize(phyvae.EdgeLoss())
    objectives |= {
        "SL1 denoised, w = 0.5": phyvae.PhysicsObjective(denoised, w=0.5),
        "SL1 maximised": phyvae.PhysicsObjective(maximised, w=0.1),
    }
study.train(objectives, epochs=epochs, beta=beta)

# %%
# Maps and domains of all objectives
# ----------------------------------
study.compare()

# %%
# Over the epochs
# ---------------
# The same training, looked at on its way (the paper's fig. A3). At epoch 0 the model is aligned,
# and not trained.

study.over_epochs(objectives["SL1, w = 0.1"], looks=(0, epochs // 10, epochs // 2, epochs))

# %%
# The physics-driven result in full
# ---------------------------------
study.portrait("SL1, w = 0.1")

# %%
# The paper's segmentation: each map by itself, normalised, bilateral filter, multi-Otsu.

maps = study.maps["SL1, w = 0.1"]
by_otsu = {
    f"Otsu on z{k + 1}": (
        maps,
        study.matched(phyvae.segment(z, max(study.classes, 3), method="otsu", denoise=0.3)),
    )
    for k, z in enumerate(maps)
}
study.plot("multi_otsu", by_otsu)
print(f"Figures are in {arguments.folder}/")

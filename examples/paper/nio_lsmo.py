r"""
Two phases: NiO and LSMO
========================

Rock-salt NiO and perovskite LSMO meet at one sharp interface. The paper's settings: 50 epochs,
:math:`\beta` from 0.05 to 1, physics on the one latent that separates the phases, denoising 0.1,
Otsu and Chan-Vese segmentation; the slack :math:`w` is swept (the paper's fig. 3). There it was
:math:`z_2`; here it is :math:`z_1`, to which `phyvae.align` gives what domains differ in most.

Run it as ``python examples/paper/nio_lsmo.py``, on your own image with ``--image PATH``.
"""

# %%
# The image
# ---------

import experiment

import phyvae

arguments = experiment.options(__doc__, folder="nio_lsmo_figures")
study = experiment.Experiment(arguments, phyvae.phantoms.nio_lsmo, nm=0.39 / 12.6)

# %%
# Training
# --------
# Physics acts on the first latent, which is channel 0. The domains in the table are those of least
# wall energy on both latent maps, see `phyvae.segment`.

epochs = 25 if arguments.quick else 50
beta = phyvae.LinearBeta(0.05, 1.0, epochs=epochs)
edges = phyvae.EdgeLoss(sigma_color=0.1, sigma_spatial=1.0, scaling="minmax")
slacks = (0.1,) if arguments.quick else (0.0, 0.1, 0.5)
physics = {
    f"SL1 on z1, w = {w}": phyvae.PhysicsObjective(edges, w=w, channels=[0]) for w in slacks
}
study.train({"sh-VAE": None, **physics}, epochs=epochs, beta=beta)

# %%
# Maps and domains of all objectives
# ----------------------------------
study.compare()

# %%
# The physics-driven result in full
# ---------------------------------
study.portrait("SL1 on z1, w = 0.1")

# %%
# The paper's segmentation of that map: denoised, then Otsu's threshold, or Chan-Vese.

maps = study.maps["SL1 on z1, w = 0.1"]
by_method = {
    f"{name} on z1": (maps, study.matched(phyvae.segment(maps[0], 2, method=method, denoise=0.1)))
    for name, method in (("Otsu", "otsu"), ("Chan-Vese", "chan_vese"))
}
study.plot("otsu_chan_vese", by_method)
print(f"Figures are in {arguments.folder}/")

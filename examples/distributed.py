"""
Training in several processes
=============================

The same script trains in one process or in many: ``python examples/distributed.py`` is one,
``torchrun --nproc-per-node 2 examples/distributed.py`` is two. Each process has its own tiles,
all average their gradients in each step, and the first one reports. On this page it ran in one.
"""

# %%
# Joining the others
# ------------------
# Under ``torchrun`` this finds the other processes; each takes a GPU of its own with
# ``--device cuda``. Under plain ``python`` it does nothing.

import experiment
import phyvae

arguments = experiment.options(__doc__, folder="distributed_figures")
arguments.device = phyvae.init_distributed(arguments.device)

# %%
# The same data and the same start
# --------------------------------
# Every process makes the whole grid, which is only a view of the image. `phyvae.align` computes
# the same in all of them, and the training begins with the weights of the first.

prepared = experiment.prepare(arguments, phyvae.phantoms.bfo)
grid, truth = prepared.grid, prepared.truth
model = experiment.started(prepared)

# %%
# Training
# --------
# The processes share the steps of an epoch: two of them take half as many steps each, and decode
# twice as many patches in a step.

epochs = 20 if arguments.quick else 50
objective = phyvae.PhysicsObjective(phyvae.EdgeLoss(), w=0.1)
trainer = phyvae.PhysicsTrainer(model, objective, seed=arguments.seed)
history = trainer.fit(grid, epochs)

# %%
# The first process reports
# -------------------------
# All have the same model and the same history, so one is enough.

if phyvae.rank() == 0:
    maps = model.latent_maps(grid)
    classes = arguments.classes or (experiment.counted(model, grid) if truth is None else 3)
    labels = phyvae.segment(maps, classes)
    patches = epochs * len(grid) / history.seconds.sum()
    print(f"−ELBO {history.neg_elbo[-1]:.2f} nats/patch, {patches:.0f} patches/s")
    if truth is not None:
        print(f"ARI {phyvae.adjusted_rand_index(labels, truth):.3f}")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    fig, axes = phyvae.plot_latent_maps(maps, labels, grid=grid)
    fig.savefig(arguments.folder / "latent_maps.png", dpi=150)

"""Call every public entry with what it cannot take, as users do: without the tests' type checks.

    python tests/bad_inputs.py

Each input has a pattern that its error must match. Prints, as JSON, what each one raised, and how
many were tried.
"""

import json
import re
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_matrix

import phyvae
from phyvae._checks import brief

NAN, INF = float("nan"), float("inf")
RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.random((30, 34))
LABELS = RANDOM.integers(0, 2, (9, 8))

# Values that no setting of a kind takes.
SEED = (-1, 2**70, 1.5, "a", True, [1])
COUNT = (0, -1, 2.5, "a", True, [1], 1j)
POSITIVE = (0, -1, NAN, INF, "a", [1], 1j, True)
NOT_NEGATIVE = POSITIVE[1:]
BETA = (*NOT_NEGATIVE, None, lambda: 1, lambda epoch, more: 1, lambda epoch: -1.0)
CHOICE = ("x", 3, None, [1], np.ones(2))
FLAG = ("no", 1, None, [1])
DEVICE = ("gpu", "cuda:99", "meta", 3, 1.5)
CHANNELS = ([], [0, 0], [-1], [0.5], [True], "ab", 5.5, 1)
PATH = (3, "", b"x", [1])


def grid(**known):
    made = phyvae.PatchGrid(IMAGE, 6, 4)
    return made.with_known(**known) if known else made


def model(**settings):
    return phyvae.ShiftVAE(
        **({"patch_shape": (6, 6), "hidden_dim_e": (8,), "hidden_dim_d": (8,)} | settings)
    )


def trainer(objective=None, **settings):
    return phyvae.PhysicsTrainer(model(), objective, **({"batch_size": 10} | settings))


def fit(objective=None, run=None, **arguments):
    run = trainer(objective) if run is None else run
    given = {"grid": grid(), "epochs": 1, "progress": False} | arguments
    return run.fit(given.pop("grid"), given.pop("epochs"), **given)


def refine(**arguments):
    given = {
        "model": model(),
        "grid": grid(),
        "objective": phyvae.PhysicsObjective(phyvae.TotalVariation("none")),
        "iterations": 1,
        "samples": 2,
        "progress": False,
    } | arguments
    return phyvae.refine(given.pop("model"), given.pop("grid"), given.pop("objective"), **given)


def align(**arguments):
    few = {"steps": 1, "content_steps": 1, "decoder_steps": 1, "progress": False}
    return phyvae.align(model(), grid(), **(few | arguments))


def sweep(**arguments):
    given = {
        "grid": grid(),
        "settings": {"SL1": phyvae.PhysicsObjective(phyvae.EdgeLoss())},
        "epochs": 1,
        "model": lambda seed: model(seed=seed),
        "progress": False,
    } | arguments
    return phyvae.sweep(given.pop("grid"), given.pop("settings"), given.pop("epochs"), **given)


def loaded(load, **arguments):
    path = Path(tempfile.mkdtemp()) / "run"
    trainer().save(path)
    return load(**({"path": path} | arguments))


def read(**arguments):
    path = Path(tempfile.mkdtemp()) / "scan.npz"
    np.savez(path, height=IMAGE, phase=IMAGE)
    return phyvae.read(**({"path": path} | arguments))


MAPS = torch.rand(2, 9, 8)
SPECTRA = RANDOM.random((5, 6, 20))
SITES = np.stack(np.meshgrid([6, 14, 22], [6, 14, 22], indexing="ij"), -1).reshape(-1, 2)
PHANTOM = {
    "shape": (600, None, "ab", (600,), (600.5, 600), (10, 10)),
    "lattice": POSITIVE,
    "distortion": NOT_NEGATIVE,
    "background": (*NOT_NEGATIVE, 2**70),
    "noise": (*NOT_NEGATIVE, 2**70),
    "seed": SEED,
    "noise_seed": SEED,
}
STEM = PHANTOM | {"exponent": POSITIVE[1:], "column": POSITIVE, "dose": (*POSITIVE, 2**70)}
FIGURE = {"width": (0, -1, NAN, INF, "a", None, 2**70)}
UNIT = {"pixel_size": (0, -1, NAN, INF, "a", [1]), "unit": (3, None, np.ones(2))}
SCALING = {"scaling": CHOICE}

# entry: (a call of it with these keywords, {keyword: what it cannot be})
SETTINGS = {
    "read": (
        read,
        {
            "path": (*PATH, None, "scan.tif", tempfile.gettempdir()),
            "channel": ("x", 2, -1, 0.5, True, [1]),
        },
    ),
    "PatchGrid": (
        lambda **k: phyvae.PatchGrid(**({"image": IMAGE, "size": 6} | k)),
        {
            "size": (0, -1, 1, 2.5, "6", None, (6,), (6, 6, 6), 35, True, 2**70, NAN),
            "step": (0, -1, 2.5, "6", (6,), True, NAN),
            "percentiles": ((0,), (0, 1, 2), "ab", 5, (None, 1), (0, NAN), (50, 50), (0, 1)),
        },
    ),
    "PatchGrid.from_spectra": (
        lambda **k: phyvae.PatchGrid.from_spectra(**({"cube": SPECTRA} | k)),
        {"step": (0, 2.5, "6", (6,), True), "percentiles": ((0,), "ab", 5, (1, 0))},
    ),
    "find_domains": (
        lambda **k: phyvae.find_domains(**({"scan": IMAGE, "progress": False} | k)),
        {
            "classes": (0, 1.5, "ab", True),
            "train": (1, "yes", None),
            "progress": (1, "yes"),
            "w": (-0.1, 2.0, "ab"),
            "strength": (-1, NAN, "ab"),
            "seed": (-1, 1.5, "ab"),
            "device": ("gpu", 3),
        },
    ),
    "PatchGrid.series": (
        lambda **k: phyvae.PatchGrid.series(**({"images": [IMAGE], "size": 6} | k)),
        {
            "images": (None, "ab", 3, [], IMAGE, [IMAGE, IMAGE * NAN], [IMAGE, IMAGE * 0]),
            "size": (0, 2.5, None, 35),
            "step": (0, 2.5, True),
            "percentiles": ((0,), "ab", 5, (1, 0)),
        },
    ),
    "PatchGrid.at": (
        lambda **k: phyvae.PatchGrid.at(**({"image": IMAGE, "sites": SITES, "size": 6} | k)),
        {
            "sites": (
                *(None, "ab", [], SITES[:2], SITES + 0j, SITES * NAN, SITES * 1e300, SITES[:, :1]),
                *(SITES > 3, SITES[[0, 0, 0, 0]], [[1, 2], [3]], SITES.astype(object)),
            ),
            "size": (0, 2.5, None, 35),
            "subpixel": FLAG,
            "lattice": FLAG,
            "vectors": (3, "ab", [[NAN, 1], [1, 0]], [[1, 1], [2, 2]], [[0, 0], [0, 0]]),
        },
    ),
    "PatchGrid.from_patches": (
        phyvae.PatchGrid.from_patches,
        {
            "patches": (
                *(None, 3, "ab", [], IMAGE, IMAGE[None] + 1j, IMAGE[None] * NAN, IMAGE[None] * 0),
                *(
                    IMAGE[None, None, None],
                    IMAGE[:, :1, None],
                    [IMAGE, IMAGE[1:]],
                    csr_matrix(IMAGE),
                ),
            ),
        },
    ),
    "PatchGrid.with_known": (
        grid,
        {
            "values": (
                None,
                "ab",
                IMAGE,
                np.full((7, 8), -2),
                np.full((7, 8), INF),
                np.full((7, 8), 1j),
                np.full((7, 8), None),
            )
        },
    ),
    "PatchGrid.sample": (
        lambda **k: grid().sample(**k),
        {"labels": (None, "ab", LABELS, IMAGE[None])},
    ),
    "PatchGrid.to": (lambda **k: grid().to(**k), {"device": DEVICE}),
    "find_sites": (
        lambda **k: phyvae.find_sites(**({"image": IMAGE, "spacing": 6.0} | k)),
        {
            "spacing": (0, -1, NAN, INF, "a", 2**70, 31),
            "sigma": (0, -1, NAN, INF, "a", 2**70, 31),
            "threshold": (-1, 1, NAN, "a", None),
            "min_distance": (-1, NAN, INF, "a"),
            "method": CHOICE[:3],
            "dark": FLAG,
        },
    ),
    "ShiftVAE": (
        model,
        {
            "patch_shape": (6, None, "66", (6.5, 6), ("a", "b"), (1, 6), (6, 6, 6), (0, 0)),
            "latent_dim": (*COUNT, None),
            "dx_prior": (*POSITIVE, None),
            "dy_prior": POSITIVE,
            "hidden_dim_e": ((), 8, None, "ab", (0,), (-1,), (8.5,), (True,)),
            "hidden_dim_d": ((), 8, None, "ab", (0,), (-1,), (8.5,), (True,)),
            "activation": CHOICE,
            "sampler_d": CHOICE,
            "decoder_sig": (*POSITIVE, None),
            "sigmoid_d": FLAG,
            "coordinate_scale": (*POSITIVE, None),
            "invariances": (["r"], "t", None, 1, ["r", "t"], []),
            "seed": (*SEED, None),
            "device": DEVICE,
        },
    ),
    "ShiftVAE.decode": (
        lambda **k: model().decode(**({"z": torch.zeros(3, 2)} | k)),
        {
            "z": (
                None,
                "a",
                np.zeros((3, 2)),
                [[0, 0]],
                torch.zeros(3),
                torch.zeros(3, 5),
                torch.zeros(3, 2) + 1j,
            ),
            "batch_size": COUNT,
        },
    ),
    "ShiftVAE.encode": (
        lambda **k: model().encode(**({"patches": torch.rand(3, 6, 6)} | k)),
        {
            "patches": (
                None,
                "a",
                np.zeros((3, 6, 6)),
                torch.rand(3, 7, 7),
                torch.rand(6, 6),
                torch.rand(3, 6, 6) + 1j,
            ),
            "batch_size": COUNT,
        },
    ),
    "ShiftVAE.neg_elbo": (
        lambda **k: model().neg_elbo(**({"batch": torch.rand(3, 6, 6)} | k)),
        {"batch": (torch.rand(0, 6, 6), torch.rand(3, 6, 6) - 1), "beta": (-1, NAN, INF, "a")},
    ),
    "ShiftVAE.latent_maps": (
        lambda **k: model().latent_maps(**({"grid": grid()} | k)),
        {"grid": (None, IMAGE, [1], phyvae.PatchGrid(IMAGE, 7)), "batch_size": COUNT},
    ),
    "ShiftVAE.manifold2d": (
        lambda **k: model().manifold2d(**k),
        {"d": (0, 1, -1, 2.5, "a", None), "limits": ((1, 2, 3), "abcd", 5, (NAN,) * 4)},
    ),
    "ShiftVAE.save": (lambda **k: model().save(**k), {"path": (*PATH, "no/such/folder", "/")}),
    "adapt": (phyvae.adapt, {"vae": (None, 3, "a", phyvae.ShiftVAE, phyvae.EdgeLoss())}),
    "PhysicsObjective": (
        phyvae.PhysicsObjective,
        {
            "physics": (3, "SL1", [phyvae.EdgeLoss()], phyvae.EdgeLoss),
            "w": (*NOT_NEGATIVE, 0.6, None),
            "w_max": (*NOT_NEGATIVE, None),
            "strength": (*NOT_NEGATIVE, None),
            "coupling": CHOICE,
            "channels": CHANNELS,
        },
    ),
    "PhysicsTrainer": (
        lambda **k: phyvae.PhysicsTrainer(**({"model": model()} | k)),
        {
            "model": (None, 3, phyvae.ShiftVAE, torch.nn.Linear(2, 2)),
            "objective": (3, phyvae.EdgeLoss(), phyvae.PhysicsObjective),
            "lr": POSITIVE,
            "batch_size": (*COUNT, None),
            "tile": (*COUNT, 1, None),
            "sites": (*COUNT, None),
            "warmup": (-1, 2.5, "3", True, None),
            "pixels": (0, -1, 1.5, NAN, "a", [1], 1j, True),
            "precision": CHOICE,
            "deterministic": FLAG,
            "seed": (*SEED, None),
            "device": DEVICE,
            "enumerate_parallel": (True, False, "a"),
        },
    ),
    "PhysicsTrainer.fit": (
        fit,
        {
            "grid": (
                None,
                IMAGE,
                [],
                [grid(), None],
                phyvae.PatchGrid(IMAGE, 7),
                grid(values=np.zeros((7, 8))),
            ),
            "epochs": (*COUNT, None),
            "test_grid": (IMAGE, [], [grid(), None], phyvae.PatchGrid(IMAGE, 7)),
            "beta": BETA,
            "steps_per_epoch": COUNT,
            "callbacks": (None, [3], print, "ab"),
            "checkpoint": (*PATH, "no/such/folder"),
            "resume": (*PATH, "no/such/folder"),
            "every": (*COUNT, 2),
        },
    ),
    "PhysicsTrainer.step": (
        lambda **k: trainer().step(**({"grid": grid()} | k)),
        {"grid": (None, []), "scale_factor": BETA, "steps_per_epoch": COUNT},
    ),
    "PhysicsTrainer.evaluate": (
        lambda **k: trainer().evaluate(**({"grid": grid()} | k)),
        {
            "grid": (None, [], [grid(), None], phyvae.PatchGrid(IMAGE, 7)),
            "beta": (*NOT_NEGATIVE, None),
            "seed": (*SEED, None),
            "batch_size": COUNT,
        },
    ),
    "PhysicsTrainer.save": (lambda **k: trainer().save(**k), {"path": (*PATH, "no/such/folder")}),
    "load_model": (
        lambda **k: loaded(phyvae.load_model, **k),
        {"path": PATH, "device": DEVICE, "model": (3, phyvae.ShiftVAE, model(dx_prior=0.2))},
    ),
    "load_trainer": (
        lambda **k: loaded(phyvae.load_trainer, **k),
        {"path": PATH, "device": DEVICE, "objective": (3, phyvae.EdgeLoss())},
    ),
    "LinearBeta": (
        lambda **k: phyvae.LinearBeta(**({"start": 0, "stop": 1, "epochs": 5} | k)),
        {"start": (*NOT_NEGATIVE, None), "stop": (*NOT_NEGATIVE, None), "epochs": (*COUNT, None)},
    ),
    "refine": (
        refine,
        {
            "grid": (None, IMAGE, [1], phyvae.PatchGrid(IMAGE, 7)),
            "objective": (3, phyvae.EdgeLoss()),
            "likelihood": ("pixels", "", 1, True, ["encoder"]),
            "around": COUNT[1:],
            "strength": (*NOT_NEGATIVE, None),
            "beta": POSITIVE,
            "iterations": (*COUNT, None),
            "samples": (*COUNT, 1, None),
            "batch_size": COUNT,
            "seed": (*SEED, None),
        },
    ),
    "align": (
        align,
        {
            "steps": COUNT,
            "content_steps": COUNT[1:],
            "decoder_steps": COUNT[1:],
            "pairs": COUNT,
            "reach": COUNT,
            "lr": (*POSITIVE, None),
            "seed": (*SEED, None),
        },
    ),
    "sweep": (
        sweep,
        {
            "grid": (None, IMAGE, [1], phyvae.PatchGrid(IMAGE, 7)),
            "settings": (*(None, [], {}, [1], {1: None}, {"": None}, {"a": 3}),),
            "epochs": (*COUNT, None),
            "model": (None, 3, model(), phyvae.ShiftVAE, model, lambda: 1, lambda seed: 3),
            "beta": BETA,
            "steps_per_epoch": COUNT,
            "lr": POSITIVE,
            "device": DEVICE,
            "batch_size": COUNT,
            "w": (0.1,),
        },
    ),
    "Setting": (
        lambda **k: sweep(settings={"a": phyvae.Setting(**k)}),
        {"seed": SEED, "beta": tuple(beta for beta in BETA if beta is not None)},
    ),
    "segment": (
        lambda **k: phyvae.segment(**({"maps": MAPS, "classes": 2} | k)),
        {
            "classes": (*COUNT, None, 73),
            "method": CHOICE,
            "denoise": (0, -1, NAN, INF, "x", True, [1]),
            "seed": (*SEED, None, 2**40),
            "mask": ("a", np.ones((3, 3), bool), np.ones((9, 8))),
            "graph": (3, "a"),
        },
    ),
    "boundary_length": (
        lambda **k: phyvae.boundary_length(LABELS, **k),
        {"pixel_size": POSITIVE},
    ),
    "grains": (lambda **k: phyvae.grains(LABELS, **k), {"max_size": (-1, 2.5, "a", None, True)}),
    "bfo": (phyvae.phantoms.bfo, STEM | {"displacement": POSITIVE, "wall": POSITIVE}),
    "nio_lsmo": (phyvae.phantoms.nio_lsmo, STEM),
    "perovskite": (phyvae.phantoms.perovskite, STEM),
    "graphene": (phyvae.phantoms.graphene, PHANTOM),
    "plot_patches": (
        lambda **k: phyvae.plot_patches(**({"grid": grid()} | k)),
        FIGURE | {"grid": (None, IMAGE), "n": (*COUNT, 57), "seed": (*SEED, None)},
    ),
    "plot_latent_maps": (
        lambda **k: phyvae.plot_latent_maps(torch.rand(2, 7, 8), **({"grid": grid()} | k)),
        FIGURE | UNIT | {"names": (3, "ab", ["z"], np.ones(2)), "labels": (3, "a", LABELS)},
    ),
    "plot_segmentation": (
        lambda **k: phyvae.plot_segmentation(
            **({"image": grid(), "labels": np.zeros((7, 8), int)} | k)
        ),
        FIGURE
        | UNIT
        | {"image": (None, "a", IMAGE * NAN, IMAGE + 1j), "labels": (3, "a", LABELS)},
    ),
    "plot_history": (phyvae.plot_history, {"history": (None, 3, "a", [1])}),
    "EdgeLoss": (
        phyvae.EdgeLoss,
        SCALING
        | {
            "sigma_color": POSITIVE,
            "sigma_spatial": (*NOT_NEGATIVE, 2**70),
            "reduction": CHOICE,
        },
    ),
    "FourierLoss": (phyvae.FourierLoss, SCALING | {"radius": (*NOT_NEGATIVE, None)}),
    "AreaFractions": (
        phyvae.AreaFractions,
        {"fractions": (3, None, "ab", [], [1.0], [0.5, 0.4], [-1, 2], [NAN, 1], [1j, 1])},
    ),
    "Autocorrelation": (
        lambda **k: phyvae.Autocorrelation(**({"distance": 2.0} | k)),
        {
            "distance": (*POSITIVE, None, (1, 2, 3), ("a", 1), (NAN, 1)),
            "alike": FLAG,
            "pixel_size": POSITIVE,
        },
    ),
    "ClassOccupancy": (
        phyvae.ClassOccupancy,
        SCALING | {"of": CHOICE, "temperature": (*POSITIVE, None)},
    ),
    "Curvature": (phyvae.Curvature, {"smoothing": NOT_NEGATIVE, "pixel_size": POSITIVE}),
    "DirichletEnergy": (phyvae.DirichletEnergy, SCALING),
    "GinzburgLandau": (
        phyvae.GinzburgLandau,
        SCALING
        | {
            "width": (*POSITIVE, None),
            "wells": (3, "ab", [1], [1, 1], ["a", "b"], [NAN, 1], [[0, 1], [0, 2]]),
            "pixel_size": POSITIVE,
        },
    ),
    "InterfaceEnergy": (
        phyvae.InterfaceEnergy,
        SCALING
        | {
            "ratio": (*POSITIVE, None),
            "angle": (NAN, INF, "a", None, [1], 1j),
            "folds": (3, "a", None, 2.5, [2]),
        },
    ),
    "MapSymmetry": (phyvae.MapSymmetry, {"operation": CHOICE}),
    "Maximize": (phyvae.Maximize, {"loss": (3, None, "a", phyvae.EdgeLoss, lambda z: z.mean())}),
    "OnChannels": (
        lambda **k: phyvae.OnChannels(**({"loss": phyvae.EdgeLoss(), "channels": [0]} | k)),
        {"loss": (3, None, phyvae.EdgeLoss), "channels": CHANNELS},
    ),
    "PeriodicOrder": (
        lambda **k: phyvae.PeriodicOrder(**(k if "wavevectors" in k else {"ring": 0.25} | k)),
        {
            "wavevectors": (
                *(3, "ab", [], [1, 2], [[NAN, 0.1]], [[0, 0]], [["a", 1]], torch.ones(2)),
            ),
            "ring": (0, -1, 0.6, NAN, INF, "a", [1], 1j),
            "tolerance": POSITIVE,
            "punish": CHOICE,
            "pixel_size": POSITIVE,
        },
    ),
    "Relation": (
        lambda **k: phyvae.Relation(**({"function": lambda a, b: a - b} | k)),
        SCALING | {"function": (3, None, "a", phyvae.EdgeLoss, phyvae.EdgeLoss())},
    ),
    "Scheduled": (
        lambda **k: phyvae.Scheduled(**({"loss": phyvae.EdgeLoss(), "schedule": 1.0} | k)),
        {"loss": (3, None, phyvae.EdgeLoss), "schedule": BETA},
    ),
    "Sparsity": (phyvae.Sparsity, {"kind": CHOICE}),
    "TotalVariation": (phyvae.TotalVariation, SCALING),
}

masked = np.ma.masked_array(IMAGE, IMAGE > 0.9)
IMAGES = {
    "NaN": (np.where(IMAGE > 0.99, NAN, IMAGE), "NaN or Inf"),
    "Inf": (np.where(IMAGE > 0.99, INF, IMAGE), "NaN or Inf"),
    "beyond float64": (IMAGE.astype(np.longdouble) * np.longdouble("1e4000"), "NaN or Inf"),
    "constant": (np.ones((30, 34)), "is constant"),
    "one pixel": (np.ones((1, 1)), "is constant"),
    "complex": (IMAGE + 1j, "has dtype complex128, but must be real"),
    "object": (IMAGE.astype(object), "has dtype object"),
    "dates": (IMAGE.astype("datetime64[s]"), "has dtype datetime64"),
    "structured": (np.zeros((30, 34), [("a", float)]), "has the fields"),
    "a dict": ({"a": IMAGE}, "holds arrays by name"),
    "sparse": (csr_matrix(IMAGE), "toarray()"),
    "numbers as objects": (IMAGE.astype(object), "astype(float)"),
    "empty": (np.zeros((0, 0)), "is empty"),
    "no such file": ("scan.tif", "there is no such file"),
    "a folder": (tempfile.gettempdir(), "is a folder"),
    "nothing": (None, "must be an array of real numbers"),
    "ragged": ([[1, 2], [3]], "rows differ in length"),
    "masked": (masked, "NaN or Inf"),
    "colours": (RANDOM.random((30, 34, 3)), "has shape (30, 34, 3)"),
}
OF_IMAGES = {
    "PatchGrid": lambda image: phyvae.PatchGrid(image, 6),
    "PatchGrid.from_spectra": phyvae.PatchGrid.from_spectra,
    "PatchGrid.series": lambda image: phyvae.PatchGrid.series([image], 6),
    "PatchGrid.at": lambda image: phyvae.PatchGrid.at(image, SITES, 6),
    "find_sites": phyvae.find_sites,
    "lattice_spacing": phyvae.lattice_spacing,
    "unit_cell": phyvae.unit_cell,
    "survey": phyvae.survey,
    "suggest": phyvae.suggest,
}

BAD_MAPS = {
    "channels last": (torch.rand(20, 21, 2), "channels last"),
    "NumPy": (np.random.default_rng(0).random((2, 9, 8)), "must be a tensor"),
    "nothing": (None, "maps=None"),
    "one map": (torch.rand(9, 8), "(9, 8)"),
    "integers": (torch.ones(2, 9, 8, dtype=torch.int32), "floating point"),
    "complex": (torch.rand(2, 9, 8) + 1j, "complex"),
    "no cell": (torch.rand(2, 0, 0), "(2, 0, 0)"),
    "no channel": (torch.rand(0, 9, 8), "(0, 9, 8)"),
}
LOSSES = {
    repr(loss): loss
    for loss in (
        phyvae.EdgeLoss(), phyvae.FourierLoss(), phyvae.TotalVariation(), phyvae.DirichletEnergy(),
        phyvae.InterfaceEnergy(), phyvae.GinzburgLandau(), phyvae.Curvature(),
        phyvae.PeriodicOrder(ring=0.25), phyvae.Sparsity(), phyvae.ClassOccupancy(),
        phyvae.AreaFractions((0.3, 0.7)), phyvae.Decorrelation(), phyvae.Exclusiveness(),
        phyvae.BoundCharge(), phyvae.Vorticity(), phyvae.Autocorrelation(2.0),
        phyvae.MapSymmetry("half-turn"),
    )
}  # fmt: skip
OF_MAPS = LOSSES | {
    "standardise": phyvae.standardise,
    "segment": lambda maps: phyvae.segment(maps, classes=2),
    "plot_latent_maps": phyvae.plot_latent_maps,
    "plot_distribution": phyvae.plot_distribution,
}
TAKES_ARRAYS = {"segment", "plot_latent_maps", "plot_distribution"}  # also of integers

BAD_LABELS = {
    "nothing": (None, "whole numbers"),
    "text": ("ab", "whole numbers"),
    "fractions": (RANDOM.random((9, 8)), "whole numbers"),
    "NaN": (LABELS * NAN, "whole numbers"),
    "complex": (LABELS + 1j, "whole numbers"),
    "objects": (LABELS.astype(object), "whole numbers"),
    "empty": (np.zeros((0, 0)), "at least one cell"),
    "ragged": ([[1], [1, 2]], "rows differ in length"),
    "beyond int64": (LABELS * 1e300, "renumber"),
    "2**64 - 1": (np.full((9, 8), 2**64 - 1, np.uint64), "renumber"),
    "another shape": (LABELS[:3], "(3, 8)"),
    "no patch": (np.full((9, 8), -1), "no cell with a label in both"),
}
OF_LABELS = {
    "adjusted_rand_index": phyvae.adjusted_rand_index,
    "mean_iou": phyvae.mean_iou,
    "match_labels": phyvae.match_labels,
}
ALONE = {
    "boundaries": phyvae.boundaries,
    "boundary_length": phyvae.boundary_length,
    "grains": lambda labels: phyvae.grains(labels, max_size=2),
}


class Sometimes(phyvae.PhysicsLoss):
    """Negative in every third call, and positive on average."""

    calls = 0

    def forward(self, maps, mask=None):
        self.calls += 1
        psi = phyvae.EdgeLoss()(maps, mask)
        return -psi if self.calls % 3 == 0 else psi


PSI = {
    "NaN": (lambda maps: maps.square().mean() * NAN, "NaN or infinite"),
    "infinite": (lambda maps: maps.square().mean() + INF, "NaN or infinite"),
    "a vector": (lambda maps: maps.square().mean((1, 2)), "returned shape (2,)"),
    "a number": (lambda maps: 1.0, "returned float"),
    "nothing": (lambda maps: None, "returned NoneType"),
    "detached": (lambda maps: maps.detach().square().mean(), "without gradient"),
    "negative": (lambda maps: -maps.square().mean(), "must be >= 0"),
    "negative at times": (Sometimes(), "must be >= 0"),
}


# Words of the error where it has not the argument's own name.
WORDS = {
    ("adapt", "vae"): "model",
    ("PatchGrid.series", "images"): "images?",
    ("PhysicsTrainer.fit", "callbacks"): "callbacks?",
}


def short(value):
    text = brief(value)
    return text if "0x" not in text else type(value).__name__


def cases() -> Iterator[tuple[str, object, str]]:
    """Yield a name, a call and a pattern of its error."""
    for entry, (call, arguments) in SETTINGS.items():
        for name, values in arguments.items():
            for k, value in enumerate(values):
                yield (
                    f"{entry}({name}={short(value)}) {k}",
                    lambda call=call, name=name, value=value: call(**{name: value}),
                    rf"\b{WORDS.get((entry, name), name)}\b",
                )
    for name, call, words in with_words():
        yield name, call, re.escape(words)


def with_words() -> Iterator[tuple[str, object, str]]:
    """Yield a name, a call and the words of its error, of inputs that are no settings."""
    for entry, call in OF_IMAGES.items():
        for kind, (image, words) in IMAGES.items():
            if (entry, kind) == ("PatchGrid.from_spectra", "colours"):
                words = "spectra of 3 point(s)"
            if entry == "survey" and kind in ("NaN", "Inf", "masked"):
                continue  # such pixels are no specimen
            if entry == "suggest" and kind in ("NaN", "Inf", "masked"):
                words = "shows no lattice"  # such pixels are masked, and the rest is noise
            yield f"{entry} of {kind}", lambda call=call, image=image: call(image), words
    for entry, call in OF_MAPS.items():
        for kind, (maps, words) in BAD_MAPS.items():
            takes = kind in ("NumPy", "integers") or (kind, entry) == ("one map", "segment")
            if not (entry in TAKES_ARRAYS and takes):
                yield f"{entry} of {kind}", lambda call=call, maps=maps: call(maps), words
    for entry, call in OF_LABELS.items():
        for kind, (labels, words) in BAD_LABELS.items():
            yield f"{entry} of {kind}", lambda call=call, bad=labels: call(bad, LABELS), words
            yield f"{entry}, truth {kind}", lambda call=call, bad=labels: call(LABELS, bad), words
    for entry, call in ALONE.items():
        for kind, (labels, words) in BAD_LABELS.items():
            if kind not in ("another shape", "no patch"):
                yield f"{entry} of {kind}", lambda call=call, bad=labels: call(bad), words
    for coupling in ("balanced", "product"):
        for kind, (loss, words) in PSI.items():
            objective = phyvae.PhysicsObjective(loss, coupling=coupling)
            yield f"fit, {coupling} Ψ {kind}", lambda o=objective: fit(o), words
    of_another = phyvae.PhysicsObjective(phyvae.EdgeLoss(), channels=[5])
    yield "fit, channels", lambda: fit(of_another), "channels=(5,) but the model has 2"


def tried(call):
    """Return what a call raised: its kind, its message, and whether phyvae raised it."""
    try:
        call()
    except Exception as error:
        file = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
        return type(error).__name__, str(error), "phyvae" in file.parts
    return "nothing", "", False


def main():
    torch.set_num_threads(1)
    found = {name: tried(call) for name, call, _ in cases()}
    json.dump({"tried": len(found), "raised": found}, sys.stdout)


if __name__ == "__main__":
    main()

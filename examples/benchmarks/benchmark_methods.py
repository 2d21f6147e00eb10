"""The benchmark's methods: each turns a patch grid into maps; all maps are clustered alike."""

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from benchmark_phantoms import reach_of
from scipy.ndimage import gaussian_filter, median_filter
from sklearn.decomposition import NMF, PCA
from sklearn.exceptions import ConvergenceWarning

import phyvae
from phyvae.patches.registration import registered_patches, strongest_waves

Maps = np.ndarray  # (channels, rows, cols)


class Method(Protocol):
    """Anything that makes maps. `name` holds its settings; it is the key of its results."""

    @property
    def name(self) -> str: ...

    def maps(self, grid: phyvae.PatchGrid, seed: int) -> Maps: ...


# -- Without training --------------------------------------------------------------------------


@dataclass(frozen=True)
class Components:
    """PCA or NMF of the patches, or PCA of the magnitudes of their Fourier transforms."""

    kind: str  # "pca", "nmf", "fft"
    count: int
    window: bool = False  # "fft": a Hann window, against leakage from the patch's border
    around: int = 0  # "fft": px; the mean over 25 windows around each patch, as `refine` takes it

    @property
    def name(self) -> str:
        looks = f", around {self.around}" if self.around else ""
        return f"{self.kind}({self.count}{', hann' if self.window else ''}{looks})"

    def maps(self, grid: phyvae.PatchGrid, seed: int) -> Maps:
        patches = self._waves(grid) if self.kind == "fft" else grid.patches.double().numpy()
        features = patches.reshape(len(grid), -1)
        if self.kind == "nmf":
            solver = NMF(self.count, init="nndsvda", max_iter=300, random_state=seed)
        else:
            solver = PCA(self.count, random_state=seed)
        with warnings.catch_warnings():
            # NMF's last digits do not change a cluster.
            warnings.simplefilter("ignore", ConvergenceWarning)
            values = solver.fit_transform(features)
        return values.T.reshape(-1, *grid.shape)

    def _waves(self, grid: phyvae.PatchGrid) -> np.ndarray:
        """Return magnitudes of Fourier coefficients, (rows, cols, *frequencies)."""
        taper = np.outer(*map(np.hanning, grid.patch_shape)) if self.window else 1.0
        windows = grid.of(grid.image.double()).windows.numpy()
        steps = sorted({round(d) for d in np.linspace(-self.around, self.around, 5)})
        down, right = (
            (np.arange(n) * step + np.array(steps)[:, None]).clip(0, limit - 1)
            for n, step, limit in zip(grid.shape, grid.step, windows.shape[:2], strict=True)
        )
        each = [np.abs(np.fft.rfft2(windows[y][:, x] * taper)) for y in down for x in right]
        waves: np.ndarray = np.mean(each, axis=0)
        return waves


@dataclass(frozen=True)
class Registered:
    """PCA of patches that are cut anew, each at the lattice site nearest to its centre.

    As `phyvae.quick_maps`, but the waves are chosen by hand: the two strongest ones, or half the
    sum and half the difference of these, where the strongest are the cell's diagonals.
    """

    count: int
    diagonals: bool

    @property
    def name(self) -> str:
        return f"registered({self.count}{', diagonals' if self.diagonals else ''})"

    def maps(self, grid: phyvae.PatchGrid, seed: int) -> Maps:
        image = grid.image.double().numpy()
        waves = strongest_waves(image)
        if self.diagonals:
            waves = np.stack([waves[0] + waves[1], waves[0] - waves[1]]) / 2
        patches = registered_patches(image, grid.centers.reshape(-1, 2), grid.patch_shape, waves)
        values = PCA(self.count, random_state=seed).fit_transform(patches.reshape(len(grid), -1))
        return values.T.reshape(-1, *grid.shape)


@dataclass(frozen=True)
class Quick:
    """The library's maps without training."""

    kind: str
    count: int

    @property
    def name(self) -> str:
        return f"quick {self.kind}({self.count})"

    def maps(self, grid: phyvae.PatchGrid, seed: int) -> Maps:
        return phyvae.quick_maps(grid, self.kind, self.count).numpy()


# -- Trained -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trained:
    """A shift-invariant VAE and how it is trained; `objective` is None for pyroVED's trainer."""

    name: str
    physics: phyvae.PhysicsLoss | None = None
    coupling: str = "balanced"
    w: float = 0.1
    strength: float = 0.3  # that of the published tables, not phyvae's default
    pyroved_lr: float | None = None  # None: our trainer
    start: str = "content"  # our trainer: what phyvae.align teaches: "content", "shift", "nothing"
    epochs: int = 50  # 0: not trained further

    @property
    def goes_on_from_align(self) -> bool:
        return self.pyroved_lr is None and self.start == "content" and self.epochs > 0

    @property
    def objective(self) -> phyvae.PhysicsObjective:
        return phyvae.PhysicsObjective(
            self.physics,
            w=self.w,
            coupling=self.coupling,  # type: ignore[arg-type]
            strength=self.strength,
        )

    def train(
        self,
        grid: phyvae.PatchGrid,
        seed: int,
        device: str = "cpu",
        scan: phyvae.PatchGrid | None = None,
        aligned: phyvae.ShiftVAE | None = None,
        repeat: float = 1.0,
    ) -> phyvae.ShiftVAE:
        """Train on the patches of a grid; `scan` is the image they are from, if not its own.

        `aligned` is the model to start from, if it is there already; it is trained in place. The
        shift goes as far as the pattern's period, `repeat` lattice constants, asks.
        """
        dx_prior = 0.3 * repeat
        model = _model(grid, seed, dx_prior) if aligned is None else aligned
        beta = phyvae.LinearBeta(0.1, 0.3, epochs=max(1, self.epochs))
        if self.pyroved_lr is not None:
            weights = _pyroved_weights(
                grid, seed, self.epochs, beta, self.pyroved_lr, device, dx_prior
            )
            model.load_state_dict(weights)
            return model
        teaches = {
            "content": {}, "shift": {"content_steps": 0, "decoder_steps": 0}, "nothing": None,
        }  # fmt: skip
        steps = teaches[self.start]
        if steps is not None and aligned is None:
            reach = reach_of(grid, repeat)
            phyvae.align(model, scan or grid, reach=reach, seed=seed, progress=False, **steps)
        if self.epochs == 0:
            return model
        batch = min(49, math.isqrt(len(grid)) ** 2)
        trainer = phyvae.PhysicsTrainer(
            model, self.objective, pixels=0.25, batch_size=batch, seed=seed, device=device
        )
        trainer.fit(grid, self.epochs, beta=beta, progress=False)
        return model.to("cpu")

    def maps(self, grid: phyvae.PatchGrid, seed: int) -> Maps:
        return self.train(grid, seed).latent_maps(grid).numpy()


def _model(grid: phyvae.PatchGrid, seed: int, dx_prior: float) -> phyvae.ShiftVAE:
    return phyvae.ShiftVAE(grid.patch_shape, latent_dim=2, dx_prior=dx_prior, seed=seed)


def _pyroved_weights(
    grid: phyvae.PatchGrid,
    seed: int,
    epochs: int,
    beta: Any,
    lr: float,
    device: str,
    dx_prior: float,
) -> dict[str, torch.Tensor]:
    """Train pyroVED's own model with its own trainer, as its users do; return the weights."""
    import pyroved

    patches = grid.gather(torch.arange(len(grid)))
    model = pyroved.models.iVAE(
        grid.patch_shape, 2, invariances=["t"], dx_prior=dx_prior, dy_prior=dx_prior, seed=seed,
        device=device,
    )  # fmt: skip
    trainer = pyroved.trainers.SVItrainer(model, lr=lr, seed=seed, device=device)
    loader = pyroved.utils.init_dataloader(patches, batch_size=49)
    for epoch in range(epochs):
        trainer.step(loader, scale_factor=beta(epoch))
    return {name: value.cpu() for name, value in model.state_dict().items()}


# -- Made from another method's maps -----------------------------------------------------------


@dataclass(frozen=True)
class Smoothed:
    """Another method's maps, each smoothed over neighbouring patches."""

    of: Method
    filter: str  # "gauss" or "median"
    width: float  # standard deviation, or side of the window; map pixels

    @property
    def name(self) -> str:
        return f"{self.filter}{self.width:g} {self.of.name}"

    def after(self, maps: Maps) -> Maps:
        smooth = {
            "gauss": lambda z: gaussian_filter(z, self.width, mode="nearest"),
            "median": lambda z: median_filter(z, int(self.width), mode="nearest"),
        }[self.filter]
        return np.stack([smooth(z) for z in maps])

    def maps(self, grid: phyvae.PatchGrid, seed: int) -> Maps:
        return self.after(self.of.maps(grid, seed))


@dataclass(frozen=True)
class Refined:
    """A trained model's maps, improved by their neighbours after training."""

    of: Trained
    likelihood: Literal["encoder", "decoder"] = "encoder"

    @property
    def name(self) -> str:
        return f"refined{' by decoder' if self.likelihood == 'decoder' else ''} {self.of.name}"

    def after(self, model: phyvae.ShiftVAE, grid: phyvae.PatchGrid) -> phyvae.Refined:
        # In fixed units: a standardised loss would make domains of a latent's noise.
        objective = phyvae.PhysicsObjective(phyvae.TotalVariation("none"))
        # In a mosaic of patches on sites, windows between them show nothing that exists.
        asks = self.likelihood == "encoder" and grid.step != grid.patch_shape
        around = None if asks else 0
        return phyvae.refine(
            model, grid, objective, likelihood=self.likelihood, around=around, samples=4,
            progress=False,
        )  # fmt: skip

    def maps(self, grid: phyvae.PatchGrid, seed: int) -> Maps:
        return self.after(self.of.train(grid, seed), grid).maps.numpy()


ALIGN = Trained("align", epochs=0)  # what the others start from

# -- The rows of the table ---------------------------------------------------------------------

FILTERS = (("gauss", 1), ("gauss", 2), ("median", 3), ("median", 5))
W = (0.0, 0.05, 0.1, 0.5)
STRENGTHS = (0.1, 0.3, 1.0)


def all_rows(epochs: int = 50) -> dict[str, tuple[Method, ...]]:
    """Return every row: its name and its few settings, of which the best is reported."""
    starts: dict[str, tuple[Method, ...]] = {
        "pca": tuple(Components("pca", n) for n in (2, 4, 8)),
        "nmf": tuple(Components("nmf", n) for n in (2, 4, 8)),
        "fft": tuple(Components("fft", n, window) for n in (4, 8) for window in (False, True)),
        "fft-around": tuple(
            Components("fft", n, window, around=4) for n in (4, 8) for window in (False, True)
        ),
        **{
            f"quick-{kind}": tuple(Quick(kind, n) for n in (2, 3))
            for kind in ("autocorrelation", "fourier", "registered")
        },
        "registered": tuple(Registered(n, d) for n in (2, 3) for d in (False, True)),
        "pyroved": tuple(
            Trained(f"pyroved(lr {lr:g})", pyroved_lr=lr, epochs=epochs) for lr in (1e-3, 5e-3)
        ),
        "sh-vae": (Trained("sh-vae", epochs=epochs),),
        "align": (ALIGN,),
        "sh-vae-shift": (Trained("sh-vae-shift", start="shift", epochs=epochs),),
        "sh-vae-unaligned": (Trained("sh-vae-unaligned", start="nothing", epochs=epochs),),
        "sl1-unaligned": (
            Trained("sl1-unaligned", phyvae.EdgeLoss(), start="nothing", epochs=epochs),
        ),
    }
    starts |= {method.name: (method,) for method in _physics_driven(epochs)}
    rows: dict[str, tuple[Method, ...]] = {}
    for name, methods in starts.items():
        rows[name] = methods
        rows[f"{name}+smooth"] = tuple(Smoothed(m, *f) for m in methods for f in FILTERS)
        trained = tuple(m for m in methods if isinstance(m, Trained))
        if trained:
            rows[f"{name}+refine"] = tuple(Refined(m) for m in trained)
            rows[f"{name}+refine-decoder"] = tuple(Refined(m, "decoder") for m in trained)
    return rows


def _physics_driven(epochs: int) -> Iterator[Trained]:
    for name, loss in (("sl1", phyvae.EdgeLoss()), ("sl2", phyvae.FourierLoss())):
        for coupling in ("published", "product"):
            for w in W:
                yield Trained(f"{coupling}-{name}-w{w:g}", loss, coupling, w, epochs=epochs)
        # Rows of the published tables: w at strength 0.3, and strength at w = 0.1.
        settings = [(w, 0.3) for w in W] + [(0.1, s) for s in STRENGTHS if s != 0.3]
        for w, strength in settings:
            yield Trained(
                f"balanced-{name}-w{w:g}-s{strength:g}", loss, "balanced", w, strength,
                epochs=epochs,
            )  # fmt: skip


def root(method: Method) -> Method:
    """Return the method whose maps, or model, this one starts from."""
    return root(method.of) if isinstance(method, Smoothed | Refined) else method

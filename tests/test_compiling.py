import shutil
import warnings

import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae import decoding
from phyvae.compiling import CompileWarning, compiled_or_eager


def no_compiler(function, **settings):
    def compiled(*args):
        raise RuntimeError("no C++ compiler found\nand more lines")

    return compiled


class TestWithoutACompiler:
    @pytest.fixture(autouse=True)
    def broken(self, monkeypatch):
        monkeypatch.setattr(torch, "compile", no_compiler)

    def test_warns_once_and_goes_on(self):
        double = compiled_or_eager(lambda x: 2 * x)
        with pytest.warns(CompileWarning, match="no C.. compiler found\\); training"):
            assert double(3) == 6
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert double(4) == 8

    def test_an_error_of_the_function_is_its_own(self):
        def refuse(x):
            raise ValueError("of its own")

        with pytest.raises(ValueError, match="of its own"):
            compiled_or_eager(refuse)(1)

    def test_training_is_that_without_compile(self, request):
        decoding._compiled_ways.cache_clear()
        request.addfinalizer(decoding._compiled_ways.cache_clear)
        with pytest.warns(CompileWarning) as caught:
            compiled = trained(compile=True)
        ours = [w for w in caught if w.category is CompileWarning]
        assert len(ours) == 2  # the way through the layers, and the way back
        assert_close(compiled, trained(compile=False), rtol=0, atol=0)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore:Dynamo does not know")  # of the type checks in tests
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_compiled_training_reaches_the_same_loss(precision):
    with warnings.catch_warnings():
        warnings.simplefilter("error", CompileWarning)
        compiled = trained(compile=True, precision=precision)
    assert_close(compiled, trained(precision=precision), rtol=1e-3, atol=0)


def test_anything_but_a_bool_is_refused(unchecked):
    with pytest.raises(TypeError, match="compile='yes' must be True or False"):
        unchecked(phyvae.PhysicsTrainer, phyvae.ShiftVAE((8, 8)), compile="yes")


def trained(**settings):
    """Return -ELBO of two epochs of a small training."""
    phantom = phyvae.phantoms.nio_lsmo(seed=0, shape=(160, 160))
    grid = phyvae.PatchGrid(phantom.image, size=16, step=24)
    model = phyvae.ShiftVAE(grid.patch_shape, hidden_dim_d=(32, 32))
    trainer = phyvae.PhysicsTrainer(model, batch_size=16, **settings)
    for _ in range(2):
        trainer.step(grid)
    return torch.from_numpy(trainer.history.neg_elbo)

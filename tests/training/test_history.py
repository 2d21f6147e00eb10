import numpy as np

from phyvae import EdgeLoss, PhysicsObjective
from phyvae.training.history import History
from small import small_grid, small_trainer, tiny_trainer


def test_the_history_holds_every_part():
    history = small_trainer(PhysicsObjective(EdgeLoss(), coupling="product")).fit(
        small_grid(), epochs=3, beta=0.5, progress=False
    )
    assert isinstance(history, History)
    assert len(history) == 3
    np.testing.assert_allclose(
        history.neg_elbo, history.reconstruction + history.beta * history.kl, rtol=1e-5
    )
    assert (history.floor > 0).all()
    assert (history.seconds > 0).all()


def test_it_shows_its_length_and_its_losses():
    columns = [np.array([1.0, 2.0]), np.array([7.25, 5.5]), *7 * [np.zeros(2)]]
    assert repr(History(*columns)) == "History(2 epochs, loss 7.25 to 5.5)"
    assert repr(tiny_trainer().history) == "History(0 epochs)"

import pytest

from phyvae import PhysicsTrainer
from phyvae.training.callbacks import as_callbacks
from small import small_grid, small_trainer, tiny_grid, tiny_trainer


def test_callbacks_are_called_after_every_epoch():
    seen = []
    trainer = small_trainer()
    trainer.fit(
        small_grid(), epochs=3, progress=False, callbacks=[lambda t, e: seen.append((t, e))]
    )
    assert seen == [(trainer, 1), (trainer, 2), (trainer, 3)]


def test_callbacks_from_an_iterator_outlive_the_first_epoch():
    seen = []
    callbacks = iter([lambda trainer, epochs: seen.append(epochs)])
    small_trainer().fit(small_grid(), epochs=3, progress=False, callbacks=callbacks)
    assert seen == [1, 2, 3]


def test_the_callbacks_are_a_list_in_their_order():
    def one(trainer, epoch): ...

    def other(trainer, epoch): ...

    assert as_callbacks((one, other)) == [one, other]
    assert as_callbacks(iter([other, one])) == [other, one]
    assert as_callbacks([]) == []


class TestRefusals:
    def test_a_single_callback_is_refused_with_the_cure(self, unchecked):
        with pytest.raises(TypeError, match=r"callbacks=.*: \[callback\]"):
            unchecked(
                PhysicsTrainer.fit, small_trainer(), small_grid(), 1, callbacks=lambda t, e: None
            )

    def test_a_callback_of_another_form_is_refused_before_work(self, unchecked):
        trainer = tiny_trainer()
        with pytest.raises(TypeError, match=r"callback=.* must be \(trainer, epochs_done\)"):
            unchecked(
                PhysicsTrainer.fit, trainer, tiny_grid(), 1, callbacks=[lambda trainer: None]
            )
        assert trainer.epochs_done == 0

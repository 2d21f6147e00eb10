"""The checker of types at run time for `--jaxtyping-packages=phyvae,type_checker.checked`."""

from beartype import BeartypeConf, beartype

# An int is a float, as PEP 484 has it.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))

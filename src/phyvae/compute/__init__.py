"""How numbers are computed: precision, determinism, processes, threads."""

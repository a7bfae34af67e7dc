"""The addresses under ``/v1``, a file each: ``files``, ``fine_tuning``, ``models``, ``chat``, ``responses``,
``embeddings``."""

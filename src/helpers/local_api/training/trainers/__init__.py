"""Training one job, in a process of its own::

    choosing  which of the two loops a job gets
    job       what both do: read the folder, tell what happens, stop when asked
    own_loop  the engine's own arithmetic: small models on CPUs, several times as fast there as TRL
    trl_loop  TRL's trainer over peft: above a billion parameters on an accelerator

``spec.json`` goes in; the same lines of progress and PEFT adapters come out of both.
"""

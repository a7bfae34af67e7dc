"""Training one job, in a process of its own::

    job       what every trainer does: read the folder, tell what happens, stop when asked
    own_loop  the engine's own arithmetic: small models on CPUs

``spec.json`` goes in; lines of progress and PEFT adapters come out.
"""

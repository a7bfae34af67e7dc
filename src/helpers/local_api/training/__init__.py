"""Fine-tuning jobs.

The worker runs in the API's process, the trainer in one of its own::

    worker           one job at a time: validates, starts the trainer, follows its progress, recovers it
    trainer_process  the trainer's process: start, stop, adopt, read its progress file
    hyperparameters  what "auto" means
    __main__         the trainer's command line: ``python -m helpers.local_api.training JOBDIR``
    trainers         one job from spec.json to its adapter, resumable
    estimate         how long a job would take on this machine
    batches          rows as token ids, and the order in which they are trained
    lora_trainer     loss and gradients: a frozen lower part that is run once, an adapted upper part
    lora             LoRA in peft's layout
    checkup          what training read, held against what serving makes of the same rows
    products         the type that products are quickest in, measured once a machine and held against each job's work
"""

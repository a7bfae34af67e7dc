"""The article on trial: each of its claims as an experiment that anybody can run again.

``Trial(client).run(claim)`` gives a :class:`Finding`: the verdict follows from the measurements by the rules in
``helpers.trial.verdicts``. "Here" means on this kit's small teaching model and its sample data. All claims::

    python -m helpers.trial

``claims.toml`` has the article's sentences. The experiments: ``amount`` (how many examples), ``prompting`` (prompts and
their plateau), ``limits`` (what tuning cannot do), ``sums`` (money and hosts); ``bench`` is where models are trained
and asked for them, ``trial`` keeps what was found.
"""

from helpers.trial.finding import LEFT_OUT, VERDICTS, Claim, Finding, claims
from helpers.trial.trial import Trial

__all__ = ["LEFT_OUT", "VERDICTS", "Claim", "Finding", "Trial", "claims"]

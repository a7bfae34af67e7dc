"""The article on trial: each of its claims as an experiment that anybody can run again.

``Trial(client).run(claim)`` gives a :class:`Finding`: the verdict follows from the measurements by the rules in
``helpers.trial.verdicts``. "Here" means on this kit's small teaching model and its sample data. All claims::

    python -m helpers.trial
"""

from helpers.trial.finding import LEFT_OUT, VERDICTS, Claim, Finding, claims
from helpers.trial.trial import Trial

__all__ = ["LEFT_OUT", "VERDICTS", "Claim", "Finding", "Trial", "claims"]

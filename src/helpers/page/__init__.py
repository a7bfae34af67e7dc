"""The decision page: the kit's own answers for a page in a browser, where this package runs in Pyodide.

``Session.do(action)`` takes what the reader did and gives back all that the page is to show, both as JSON. The page's
JavaScript moves these values and draws; every rule, price and sentence comes from ``facts``, ``costs`` and ``decide``.

``structure`` is the page before anybody has answered, ``state`` what a reader has set, ``session`` one reader's way
through it; ``chart`` and ``linking`` draw.
"""

from helpers.page.session import Session
from helpers.page.structure import structure

__all__ = ["Session", "structure"]

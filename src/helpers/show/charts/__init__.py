"""Charts, drawn with plotly; ``svg`` draws those of the record without it. Every one begins with ``theme.figure``."""

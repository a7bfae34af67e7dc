"""Personal data and secrets in texts: found, shown masked, removed. ``personal`` is the way in."""

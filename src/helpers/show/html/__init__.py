"""Views as HTML: tables, cards, texts side by side. ``elements`` holds the pieces that they and the other rooms use."""

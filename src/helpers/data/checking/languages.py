"""Which language a text is most likely in, told by its commonest small words or by its script.

Meant for one question only: is this row in another language than most? Short texts and mixed ones get no answer.
"""

from __future__ import annotations

import re

SMALL_WORDS = {
    "English": "the and you for with this that have not was are but my is it of to your what when please from they",
    "German": "der die das und ich nicht mit ist ein eine den auf für wie sie haben wir dass bitte auch mein meine von",
    "French": "le la les des une est et pas que pour dans je vous nous mon ma avec sur mais qui ce cette votre plus ne",
    "Spanish": "el los las una es y que por para con mi su pero como está más muy del al cuando desde hola no ha",
    "Italian": "il gli una è e non che per con mi sono ma come della del più anche questo questa ho mio nel di alla",
    "Portuguese": "os uma é e não que por para com meu minha mas como está mais muito da em ao foi são não do",
    "Dutch": "de het een en niet ik met van is op voor dat je mijn maar ook naar bij heb kan wat graag zijn er",
    "Polish": "nie na jest się że do i w z co jak ale czy mam proszę mnie są dla już był moje od za go",
    "Swedish": "och att det inte jag är en ett för med som på har till av min men kan om från när var vi tack",
}
SCRIPTS = {
    "Cyrillic": "\u0400-\u04ff", "Greek": "\u0370-\u03ff", "Hebrew": "\u0590-\u05ff", "Arabic": "\u0600-\u06ff",
    "Devanagari": "\u0900-\u097f", "Thai": "\u0e00-\u0e7f", "Japanese": "\u3040-\u30ff", "Korean": "\uac00-\ud7af",
    "Chinese": "\u4e00-\u9fff",
}  # fmt: skip
READ = 250
"""Characters that are looked at."""

ENOUGH_WORDS = 4
SCRIPT_SHARE = 0.3

_WORDS = {name: frozenset(words.split()) for name, words in SMALL_WORDS.items()}
_ALL_WORDS = frozenset().union(*_WORDS.values())
_IN_SCRIPT = {name: re.compile(f"[{span}]") for name, span in SCRIPTS.items()}


def language(text: str) -> str | None:
    """The language or script of ``text`` (in lower case), None where it is too short or too mixed to tell."""
    text = text[:READ]
    if not text.isascii():
        for name, letters in _IN_SCRIPT.items():
            if len(letters.findall(text)) >= SCRIPT_SHARE * len(text):
                return name
    said = _ALL_WORDS.intersection(text.split())
    if len(said) < ENOUGH_WORDS:
        return None
    for name, words in _WORDS.items():
        hits = len(said & words)
        if hits >= ENOUGH_WORDS and hits >= 2 * (len(said) - hits):  # twice as many as of all other languages together
            return name
    return None

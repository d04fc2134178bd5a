"""What probes say, in French. They speak English to engineers (recovery.probe); a crisis cell reads this at 3 a.m.

A sentence without words here is quoted as it stands by whoever shows it, so a new probe needs none to be seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_POWER = {
    "On": "sous tension",
    "Off": "hors tension",
    "PoweringOn": "mise sous tension en cours",
    "PoweringOff": "mise hors tension en cours",
}
_HEALTH = {"OK": "bon", "Warning": "avertissement", "Critical": "critique"}
_REFUSALS = {
    "it does not know who calls (calling AE title)": "il ne connaît pas le titre AE appelant",
    "nobody of that name answers there (called AE title)": "personne n’y répond sous ce titre AE",
    "it is congested for the moment": "il est saturé pour l’instant",
    "it has as many associations as it may": "il a déjà toutes les associations qu’il peut tenir",
}
_LINE = {
    "": "",
    ", raised (booster)": ", tension relevée (booster)",
    ", lowered (reducer)": ", tension abaissée (reducer)",
}

Word = Callable[[str], str]


def _day(text: str) -> str:
    """Return 2024-08-03 as the French write it."""
    return "/".join(reversed(text.split("-")))


def _days(text: str) -> str:
    return f"{text} jour" if text in ("0", "1") else f"{text} jours"


def _decimal(text: str) -> str:
    return text.replace(".", ",")


def _quote(text: str) -> str:
    return f"« {text} »"


def _seconds(text: str) -> str:
    """Return a number of seconds as people say it: 61 s, 12 min 05 s, 2 h 05."""
    minutes, seconds = divmod(int(text), 60)
    if minutes >= 60:
        return f"{minutes // 60}\u202fh\u202f{minutes % 60:02d}"
    return f"{minutes}\u202fmin\u202f{seconds:02d}\u202fs" if int(text) >= 100 else f"{text} s"


def _battery(text: str) -> str:
    """Return what follows "on battery": since when, how long still, how full."""
    said = []
    for part in filter(None, text.split(", ")):
        number = part.strip().removeprefix("for ").split(" ")[0]
        if part.startswith(" for "):
            said.append(f" depuis {_seconds(number)}")
        elif part.endswith(" min left"):
            said.append(f", encore {number} min")
        elif part.endswith(" %"):
            said.append(f", charge {number} %")
        else:
            said.append(", batterie basse")
    return "".join(said)


def _known(words: dict[str, str], other: Word) -> Word:
    return lambda text: words.get(text, other(text))


#: A probe’s sentence, the same in French, and how each part of it is written.
_SENTENCES: tuple[tuple[str, str, tuple[Word, ...]], ...] = (
    # TLS
    (
        r"its certificate is valid for (\d+) more days, until ([\d-]+)",
        "certificat valable encore {}, jusqu’au {}",
        (_days, _day),
    ),
    (r"its certificate ran out on ([\d-]+)", "certificat expiré depuis le {}", (_day,)),
    (
        r"its certificate is valid only from ([\d-]+): is a clock wrong\?",
        "certificat valable seulement à partir du {} : une horloge est-elle fausse ?",
        (_day,),
    ),
    (r"it shows no certificate that can be read", "ne montre aucun certificat lisible", ()),
    (
        r"its certificate is not trusted \((.*)\), so no password was sent",
        "certificat non reconnu ({}) : aucun mot de passe n’a été envoyé",
        (_quote,),
    ),
    # NTP
    (
        r"stratum (\d+), its clock and ours differ by ([\d.]+) s, more than ([\d.]+) s",
        "strate {}, son horloge et la nôtre diffèrent de {} s, plus de {} s",
        (str, _decimal, _decimal),
    ),
    (
        r"stratum (\d+), its clock and ours differ by ([\d.]+) s",
        "strate {}, son horloge et la nôtre diffèrent de {} s",
        (str, _decimal),
    ),
    (
        r"it answers but is not synchronised \(stratum (\d+)\)",
        "répond, mais son horloge n’est pas synchronisée (strate {})",
        (str,),
    ),
    (r"it sends callers away: (.*)", "renvoie ceux qui l’interrogent ({})", (_quote,)),
    # Redfish
    (
        r"its power is On and its health (.*)",
        "sous tension, état du matériel : {}",
        (_known(_HEALTH, _quote),),
    ),
    (r"its power is On; it says nothing about its health", "sous tension ; ne dit rien de son état matériel", ()),
    (r"its power is (\w+)", "{}", (_known(_POWER, lambda text: f"alimentation {_quote(text)}"),)),
    (
        r"its answer has no PowerState: not the address of a system",
        "ne dit pas s’il est sous tension : ce n’est pas l’adresse d’une machine",
        (),
    ),
    # UPS, by NUT and by SNMP
    (r"on battery((?: for \d+ s)?(?:, \d+ min left)?(?:, \d+ %)?(?:, which is low)?)", "sur batterie{}", (_battery,)),
    (r"forced shutdown has been declared", "arrêt forcé déclaré", ()),
    (
        r"on line power(|, raised \(booster\)|, lowered \(reducer\)), its battery is low",
        "sur secteur{}, batterie basse",
        (_known(_LINE, str),),
    ),
    (
        r"on line power(|, raised \(booster\)|, lowered \(reducer\))",
        "sur secteur{}",
        (_known(_LINE, str),),
    ),
    (
        r"on bypass: line power without a battery behind it",
        "en dérivation (bypass) : sur secteur, sans batterie derrière",
        (),
    ),
    (r"its UPS cannot be read: (.*)", "l’onduleur ne peut pas être lu ({})", (_quote,)),
    (r"its status is (.*), neither OL nor OB", "état {}, ni secteur ni batterie", (_quote,)),
    (r"its output source is (.*), expected normal", "source du courant {}, attendue : normale", (_quote,)),
    (
        r"it does not say where its output comes from: not a UPS by RFC 1628",
        "ne dit pas d’où vient son courant : pas un onduleur selon la RFC 1628",
        (),
    ),
    # IMAP, SMTP, SSH
    (r"it logs in and opens INBOX", "le compte se connecte et sa boîte de réception s’ouvre", ()),
    (r"it greets and tells its capabilities; no mailbox was opened", "répond ; aucune boîte n’a été ouverte", ()),
    (r"its answer to LOGIN is (['\"])(.*)\1, expected OK", "refuse la connexion du compte ({1})", (str, _quote)),
    (
        r"its answer to EXAMINE INBOX is (['\"])(.*)\1, expected OK",
        "n’ouvre pas la boîte de réception ({1})",
        (str, _quote),
    ),
    (r"it turns callers away: (.*)", "ne prend pas de connexion pour l’instant ({})", (_quote,)),
    # DICOM
    (r"it accepts an association and answers C-ECHO", "accepte l’association et répond à C-ECHO", ()),
    (r"it refuses the association: (.*)", "refuse l’association DICOM : {}", (_known(_REFUSALS, _quote),)),
    (r"it refuses the association without a reason", "refuse l’association DICOM sans dire pourquoi", ()),
    (
        r"it takes the association but no C-ECHO in it \(result (\d+)\)",
        "accepte l’association DICOM, mais pas C-ECHO (résultat {})",
        (str,),
    ),
    (r"it answers C-ECHO with status (.*), expected 0", "répond à C-ECHO par le code {} au lieu de 0", (str,)),
    # HTTP, DNS, LDAP, MLLP
    (r"it answers (\d+.*), expected 2xx", "répond {} au lieu de 2xx", (_quote,)),
    (r"it answers (\d+) and says of itself: (.*)", "répond {} et dit de lui-même : {}", (str, _quote)),
    (r"it knows no (\S+): the answer is empty", "ne connaît pas {} : réponse vide", (str,)),
    (r"it refuses the bind: result (\d+)", "refuse l’identification (résultat {})", (str,)),
    (
        r"it answers our message with (.*), expected (\w+(?: or \w+)*)",
        "répond {} à notre message, attendu : {}",
        (_quote, lambda text: text.replace(" or ", " ou ")),
    ),
)
_COMPILED = tuple((re.compile(english), french, words) for english, french, words in _SENTENCES)

#: A space before these, or between a number and its unit, must not break the line.
_NARROW = re.compile(r"(?<=\d) (?=(?:s|min|h|%)\b|%)| (?=[;!?])")


def in_french(detail: str) -> str | None:
    """Return a probe’s sentence in French, None when there are no words for it."""
    for english, french, words in _COMPILED:
        found = english.fullmatch(detail)
        if found is not None:
            parts = (write(part or "") for write, part in zip(words, found.groups(), strict=False))
            return _typeset(french, *parts)
    return None


def _typeset(sentence: str, *parts: str) -> str:
    """Fill in a sentence, with the spaces of French print."""
    filled = sentence.format(*parts).replace(" :", "\u00a0:").replace("« ", "«\u00a0").replace(" »", "\u00a0»")
    return _NARROW.sub("\u202f", filled)

"""What the night says while it happens, in French and English: one sentence an event, {names} filled in."""

from __future__ import annotations

import os
from typing import Literal

Lang = Literal["fr", "en"]

SENTENCES: dict[str, dict[Lang, str]] = {
    "stage": {
        "fr": "{n} hôpitaux, deux relais, un centre de {programs} programmes : dossiers, clés et ports sont prêts.",
        "en": "{n} hospitals, two hubs, a centre of {programs} programs: folders, keys and ports are ready.",
    },
    "nodes_ready": {
        "fr": "Les nœuds de {n} hôpitaux sont ouverts.",
        "en": "The nodes of {n} hospitals are open.",
    },
    "centre_up": {
        "fr": "Le centre a démarré dans l’ordre en {s:.1f} s.",
        "en": "The centre has started in order, in {s:.1f} s.",
    },
    "normal": {
        "fr": "Nuit ordinaire : admissions, résultats, lectures.",
        "en": "An ordinary night: admissions, results, reading.",
    },
    "on_battery": {
        "fr": "Le secteur est coupé au centre d’hébergement : les deux onduleurs prennent le relais "
        "et annoncent {s:.0f} s.",
        "en": "The mains fail at the hosting centre: both UPS carry the load and announce {s:.0f} s.",
    },
    "real_ups": {
        "fr": "Les onduleurs sont un vrai serveur NUT (upsd, dummy-ups) ; un script y joue la coupure.",
        "en": "The UPS are a real NUT server (upsd, dummy-ups); a script plays the cut there.",
    },
    "own_ups": {
        "fr": "NUT n’est pas installé ici : les onduleurs sont joués par un programme de la démonstration, "
        "même protocole.",
        "en": "NUT is not installed here: a program of the demo plays the UPS, in the same protocol.",
    },
    "stop_decided": {
        "fr": "Le gardien commence l’arrêt propre, du plus dépendant au stockage.",
        "en": "The guard begins the orderly stop, most dependent first, storage last.",
    },
    "stopped": {
        "fr": "{name} : arrêt propre en {s:.1f} s.",
        "en": "{name}: stopped clean in {s:.1f} s.",
    },
    "cut": {
        "fr": "COUPURE : les batteries lâchent avant l’heure, {n} programmes tués d’un coup (kill -9) ; "
        "arrêtés proprement avant : {clean}.",
        "en": "POWER CUT: the batteries end early, {n} programs killed at once (kill -9); "
        "stopped clean before: {clean}.",
    },
    "checked": {
        "fr": "{name} : intégrité vérifiée en {s:.1f} s, après un arrêt brutal.",
        "en": "{name}: integrity checked in {s:.1f} s, after a stop that was not clean.",
    },
    "on_their_own": {
        "fr": "Les hôpitaux continuent sur leurs propres nœuds ; automates et bureaux d’admission envoient.",
        "en": "The hospitals go on with their own nodes; analysers and admission desks keep sending.",
    },
    "unknown": {
        "fr": "{hospital} admet une personne inconnue sous le numéro temporaire {number}.",
        "en": "{hospital} admits an unknown person under the temporary number {number}.",
    },
    "own_killed": {
        "fr": "{hospital} : son propre nœud est tué à son tour (kill -9). Ses lecteurs vont chez le voisin.",
        "en": "{hospital}: its own node is killed too (kill -9). Its readers turn to the neighbour.",
    },
    "own_back": {
        "fr": "{hospital} : le nœud est de retour en {s:.1f} s.",
        "en": "{hospital}: the node is back after {s:.1f} s.",
    },
    "report": {
        "fr": "Point de situation n° {n} : {path}",
        "en": "Situation report no. {n}: {path}",
    },
    "power": {
        "fr": "Le courant revient au centre. Redémarrage dans l’ordre des dépendances.",
        "en": "Power returns to the centre. Restart in the order of dependencies.",
    },
    "step": {
        "fr": "{name} : de retour après {s:.1f} s.",
        "en": "{name}: back after {s:.1f} s.",
    },
    "step_failed": {
        "fr": "{name} : ÉCHEC – {reason}",
        "en": "{name}: FAILED – {reason}",
    },
    "restarted": {
        "fr": "Le centre est de retour en {s:.1f} s (borne inférieure {bound:.1f} s).",
        "en": "The centre is back after {s:.1f} s (lower bound {bound:.1f} s).",
    },
    "catching_up": {
        "fr": "Rattrapage : historiques échangés, saisies renvoyées au dossier patient.",
        "en": "Catching up: histories exchanged, captures written back to the patient record.",
    },
    "level": {
        "fr": "Tout le monde est à jour {s:.1f} s après l’arrêt des émetteurs.",
        "en": "Everybody is level {s:.1f} s after the senders stopped.",
    },
    "not_level": {
        "fr": "Après {s:.0f} s tout n’est pas à jour : {what}",
        "en": "After {s:.0f} s not everybody is level: {what}",
    },
    "checking": {
        "fr": "Vérification de l’extérieur : comptes des émetteurs, journaux, relais, FHIR, base du dossier patient.",
        "en": "Checking from outside: senders’ accounts, logs, hubs, FHIR, the patient record’s own database.",
    },
    "kept_running": {
        "fr": "Tout reste en marche. Pages : {urls}. Identifiant {user}, mot de passe {password}. Ctrl-C pour arrêter.",
        "en": "Everything is left running. Pages: {urls}. Sign in as {user}, password {password}. Ctrl-C to stop.",
    },
}

PHASES: dict[str, dict[Lang, str]] = {
    "stage": {"fr": "préparation", "en": "setting up"},
    "normal": {"fr": "nuit ordinaire", "en": "ordinary night"},
    "cut": {"fr": "CENTRE ABSENT", "en": "CENTRE AWAY"},
    "return": {"fr": "redémarrage", "en": "restart"},
    "after": {"fr": "rattrapage", "en": "catching up"},
    "verdict": {"fr": "verdict", "en": "verdict"},
}


def language() -> Lang:
    """Return the language of whoever runs the demo, from LC_ALL, LC_MESSAGES or LANG."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "fr" if value.lower().startswith("fr") else "en"
    return "en"


def say(key: str, lang: Lang, **values: object) -> str:
    """Return a sentence."""
    return SENTENCES[key][lang].format(**values)

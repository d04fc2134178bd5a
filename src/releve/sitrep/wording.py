"""The words of the reports, in French and English; both have the same keys and the same blanks, which a test says.

Rules: no promise beyond the P90; "not measured" is said, never left out; a cause is never concluded, an attack neither
claimed nor excluded; sentences are short enough to be read aloud.
"""

from __future__ import annotations

from datetime import datetime
from math import ceil
from zoneinfo import ZoneInfo

from releve.clock import Instant, to_datetime
from releve.estate import Bilingual
from releve.recovery.forecast import Span
from releve.sitrep.probe_wording import in_french

LANGS = ("fr", "en")

#: For whom a report is worded: the crisis cell sees everything, the others the same facts at their depth.
AUDIENCES = ("cell", "staff", "authorities", "public")

#: Below this, a length or a clock time needs its seconds to mean anything.
SECONDS_MATTER_S = 600

_FR = {
    # The page
    "title": "Point de situation n° {number}",
    "exercise": "EXERCICE — EXERCICE — EXERCICE",
    "issued": "Établi le {when}",
    "next": "Prochain point : {when}, ou avant si la situation change.",
    "supersedes": "Remplace le point n° {number}, conservé.",
    "drafted": "Rédigé par Relève à partir de mesures ; à valider par la cellule de crise avant diffusion.",
    "todo": "à compléter par la cellule de crise avant diffusion",
    "words.by": "texte de {by}, {when}",
    "signed": "Préparé par {prepared} ; validé et diffusé sous la responsabilité de {authorized}.",
    "unsigned": "Brouillon : personne ne l'a encore validé.",
    "edited": "Sections complétées par une personne : {sections}. Ce qui est mesuré n'a pas été modifié.",
    "page": "page {page} sur {pages}",
    # For whom
    "audience.cell": "Pour la cellule de crise",
    "audience.staff": "Pour les équipes",
    "audience.authorities": "Pour les autorités",
    "audience.public": "Pour le public et la presse",
    # The headline
    "head.unmeasured": "Aucun état n'a encore été mesuré : ce point ne peut rien affirmer sur les services.",
    "head.cut": "Services en panne dans au moins un hôpital : {down} sur {all}. Le redémarrage n'a pas commencé.",
    "head.restart": "Redémarrage en cours. Services qui répondent dans tous les hôpitaux : {up} sur {all}.",
    "head.back": "Tous les services répondent dans tous les hôpitaux ({all} sur {all}).",
    # Sections
    "section.back": "Ce qui fonctionne",
    "section.out": "Ce qui ne fonctionne pas, et jusqu'à quand",
    "section.hospitals": "Hôpital par hôpital",
    "section.care": "Soins et patients attendus",
    "section.emergency": "Urgences et SAMU",
    "section.cause": "Cause : ce que l'on sait, ce que l'on ne sait pas",
    "section.staff": "Ce que les équipes doivent faire",
    "section.advice": "Ce que le public doit faire",
    "section.forecast": "Prévisions publiées",
    "section.restart": "Déroulement du redémarrage",
    # States
    "state.normal": "en service",
    "state.degraded": "dégradé",
    "state.down": "en panne",
    "state.returning": "en cours de retour",
    "state.unknown": "non mesuré",
    # Services
    "service.everywhere": "{service} : {state} dans tous les hôpitaux ({count}).",
    "service.some": "{service} : {state} dans {count} hôpitaux sur {all} ({hospitals}).",
    "service.one": "{service} : {state} dans 1 hôpital sur {all} ({hospitals}).",
    "service.since": "{sentence} Depuis {when}.",
    "none.back": "Aucun service n'est mesuré en service dans tous les hôpitaux.",
    "none.out": "Aucun service n'est mesuré en panne.",
    "unmeasured.services": "Non mesuré : {services}.",
    # Forecasts
    "span.clock": "Retour : une chance sur deux avant {p50}, neuf chances sur dix avant {p90}.",
    "span.power": (
        "Retour : une chance sur deux en moins de {p50}, neuf chances sur dix en moins de {p90}, à compter du "
        "retour de : {power}."
    ),
    "span.public": "Retour : neuf chances sur dix avant {p90}.",
    "span.public.power": "Retour : neuf chances sur dix en moins de {p90} après le retour de l'électricité.",
    "span.unknown": "Retour : aucune prévision possible, une intervention humaine est nécessaire.",
    "span.none": "Retour : aucune prévision n'a été établie.",
    "essential": "Services essentiels. {span}",
    "last": "Dernier service. {span}",
    "provisional": (
        "Première estimation : rien n'a encore été mesuré aujourd'hui, elle repose sur des durées supposées."
    ),
    "slower": (
        "Les démarrages prennent aujourd'hui environ {factor} fois la durée supposée ; la prévision en tient compte."
    ),
    "slip.held": "Annonce ({issued}) : services essentiels avant {p90} (P90). Tenue : retour à {back}.",
    "slip.missed": "Annonce ({issued}) : services essentiels avant {p90} (P90). Non tenue : retour à {back}.",
    "slip.past": "Annonce ({issued}) : services essentiels avant {p90} (P90). Non tenue.",
    "slip.open": "Annonce ({issued}) : services essentiels avant {p90} (P90). Échéance à venir.",
    "slip.power": "Annonce ({issued}) : services essentiels en moins de {p90} après le retour de : {power} (P90).",
    "slip.moved": "La prévision recule de {late} par rapport à la précédente.",
    "none.forecast": "Aucune prévision n'a été publiée avant ce point.",
    "span.noclock": "Aucune heure de retour ne peut être donnée avant le retour de : {power}.",
    # Care
    "care.open": "Le nœud Relève répond dans {open} hôpitaux sur {all} : dossiers consultables, saisie possible.",
    "care.closed": "Le nœud Relève ne répond pas : {hospitals}. Appliquer la procédure papier.",
    "care.unmeasured": "L'état des nœuds des hôpitaux n'a pas été mesuré.",
    "care.captured": (
        "Recueilli dans les hôpitaux depuis la panne : admissions {admissions}, résultats {results}, notes "
        "{notes}, autres messages {others}."
    ),
    "care.owed": "Reste à reporter dans les systèmes centraux : {owed}. Reporté et accepté : {accepted}.",
    "care.refused": "Refusé par un système central, à traiter par une personne : {refused}.",
    "care.expected": ("Patients attendus (rendez-vous, blocs) : non mesuré par Relève, non déclaré à cette heure."),
    "declared": "{words} (déclaré par {by}, {when})",
    # Emergencies
    "emergency.open": "Le nœud Relève répond dans {open} des {all} hôpitaux qui ont un service d'urgences.",
    "emergency.undeclared": ("Ouverture des urgences et du SAMU : non mesurée par Relève, non déclarée à cette heure."),
    # Cause
    "cause.first": "{when} : première perte constatée, {unit}.",
    "cause.back": "{when} : {unit}, de nouveau là après {length}.",
    "cause.explained": (
        "Pertes suivantes que celle-ci explique, d'après le modèle de l'hébergement : {count} sur {all}."
    ),
    "cause.unexplained": "Perdu sans dépendre de la première perte, et donc à expliquer : {units}.",
    "cause.order": "L'ordre des pertes n'est pas certain à moins de {every}, intervalle entre deux mesures.",
    "cause.power": (
        "La première perte est une arrivée électrique : ces faits sont compatibles avec une coupure de courant."
    ),
    "cause.other": "La première perte n'est pas une arrivée électrique.",
    "cause.nothing": "Aucune perte n'a été constatée par les mesures : Relève ne sait rien de la cause.",
    "cause.unknown": (
        "On ne sait pas pourquoi ceci a été perdu : {first}. Les connexions, l'intégrité des données et les "
        "traces réseau n'ont pas été examinées par Relève. Rien ici ne montre ni n'exclut un acte malveillant."
    ),
    "cause.unknown.all": (
        "Les connexions, l'intégrité des données et les traces réseau n'ont pas été examinées par Relève. Rien "
        "ici ne montre ni n'exclut un acte malveillant."
    ),
    "cause.also": "{when} : autre perte, {unit}.",
    # Staff
    "staff.unmeasured": "Appliquer la procédure dégradée de l'unité jusqu'à information contraire.",
    "staff.cut.1": (
        "Consulter et saisir dans Relève : admissions, notes, résultats y arrivent. La page indique l'âge des données."
    ),
    "staff.cut.2": "Ne pas ressaisir plus tard : ce qui est saisi dans Relève sera reporté automatiquement.",
    "staff.restart.1": "Continuer dans Relève jusqu'à l'annonce du retour de chaque service dans votre hôpital.",
    "staff.restart.2": (
        "Ne pas ressaisir dans un service revenu ce qui a été saisi dans Relève : le report est en cours."
    ),
    "staff.back.1": "Reprendre le travail habituel ; en cas de doute, comparer avec Relève, qui reste consultable.",
    "staff.back.2": "Traiter la liste des reports refusés et des identités provisoires.",
    # The public
    "advice.emergency": "En cas d'urgence médicale, appeler le 15 ou le 112.",
    "advice.appointment": (
        "Un rendez-vous ou une opération : suivre les informations de l'hôpital ; aucune annulation n'est faite par "
        "cette page."
    ),
    # The restart
    "restart.up": "{when} : {unit}, rétabli en {length}.",
    "restart.already": "{when} : {unit}, répond déjà.",
    "restart.came": "{when} : {unit}, de retour.",
    "restart.failed": "{when} : {unit}, échec du démarrage.",
    "restart.blocked": "{when} : {unit}, non démarré : un élément dont il dépend a échoué.",
    "restart.skipped": "{when} : {unit}, laissé de côté, décision de {by}.",
    "restart.checked": "{when} : {unit}, contrôle d'intégrité passé.",
    "restart.doubted": "{when} : {unit}, contrôle d'intégrité non passé ; rien n'en dépend avant une décision.",
    "restart.released": "{when} : {unit}, rendu aux soins ({where}), décision de {by}.",
    "restart.refused": "{when} : {unit}, non rendu aux soins ({where}), décision de {by}.",
    "restart.stepped": "{when} : {unit}, arrêté de nouveau, décision de {by}.",
    "restart.unclean": "{when} : {unit}, privé de courant avant d'être arrêté ; son intégrité est à contrôler.",
    "gate.waiting": "Répond ; pas encore rendu aux soins dans {count} hôpitaux sur {all} ({hospitals}).",
    "everywhere": "partout",
    "nobody": "personne",
    "restart.total": "Éléments rétablis : {up} sur {all}.",
    "none.restart": "Le redémarrage n'a pas commencé.",
    # What a probe saw
    "seen.refused": "rien n'écoute à cette adresse",
    "seen.silent": "aucune réponse dans le délai",
    "seen.frozen": "accepte la connexion mais ne répond pas : figé",
    "seen.weak": "fonctionne, avec un défaut",
    "seen.slow": "répond trop lentement",
    "seen.flapping": "instable",
    "seen.closed": "la connexion a été coupée",
    "seen.wrong": "réponse anormale",
    "seen.starting": "dit ne pas être encore prêt",
    "seen.battery": "sur batterie",
    "seen.unasked": "n'a pas pu être interrogé",
    "seen.up": "répond dans son protocole",
    # The public page, and what CAP calls it
    "public.title": "État des services",
    "public.measured": "Mesuré le {when}.",
    "public.valid": "Cette page est réécrite sans cesse. S'il est plus de {when}, elle est périmée : ne plus s'y fier.",
    "public.past": "Annoncé avant {p90} : non tenu. Une nouvelle prévision suivra.",
    "public.return": "Retour annoncé",
    "public.none": "Aucun point de situation n'a encore été publié.",
    "cap.event": "Panne de services informatiques hospitaliers",
    # The incident declaration
    "form.title": "Déclaration d'incident : éléments à reporter",
    "form.note": (
        "Faits réunis par Relève dans l'ordre des questions d'une déclaration d'incident grave de sécurité des "
        "systèmes d'information ; à relire, compléter et saisir par la personne qui déclare."
    ),
    "form.open": "à compléter",
    "form.declarant": "1. Structure et déclarant (responsable / préparé par)",
    "form.hospitals": "2. Établissements concernés",
    "form.report": "3. Établi d'après",
    "form.began": "4. Début constaté de l'incident",
    "form.kind": "5. Type d'incident",
    "form.kind.measured": "Perte de services informatiques constatée par des mesures ; cause : voir 11.",
    "form.summary": "6. En une phrase",
    "form.impact": "7. Services touchés et délais annoncés",
    "form.works": "8. Services qui fonctionnent",
    "form.care": "9. Effet sur les soins, les urgences et le SAMU",
    "form.measures": "10. Mesures prises, mode dégradé",
    "form.cause": "11. Cause : faits constatés et ce qui n'est pas connu",
    "form.return": "12. Retour à la normale",
    "form.data": "13. Données personnelles : perte ou divulgation",
    "form.help": "14. Appui demandé",
    "form.contact": "15. Personne à rappeler (nom, téléphone)",
    # The evidence
    "evidence": "Ce sur quoi reposent ces phrases",
    "evidence.state": "{service}, {state} : {count} hôpitaux sur {all} ({hospitals}), mesuré entre {first} et {last}.",
    "evidence.states": "{count} mesures de services par hôpital, prises entre {first} et {last}.",
    "evidence.states.none": "Aucune mesure de service.",
    "evidence.unmeasured": "{service} : aucune mesure de {hospitals}.",
    "evidence.loss": "{unit} : absent depuis la mesure de {when}.",
    "evidence.back": "{unit} : absent depuis la mesure de {when}, retrouvé à celle de {back}.",
    "evidence.forecast": "Prévision de {when}, {runs} redémarrages simulés, à partir de ce qui est mesuré aujourd'hui.",
    "evidence.forecast.provisional": "Prévision de {when}, {runs} redémarrages simulés, sur des durées supposées.",
    "evidence.nodes": "Réponse des nœuds des hôpitaux : {open} sur {all}.",
    "evidence.counts": "Comptes des journaux des nœuds des hôpitaux.",
    "evidence.declared": "Déclaré par {by}, {when}.",
    "evidence.estate": "Modèle de l'hébergement : ce qui dépend de {units}.",
    "evidence.journal": "Journal du redémarrage, {when} : {unit} ({kind}).",
    "evidence.losses": "Pertes constatées par les mesures : {count}.",
    # Tables and lists
    "column.service": "Service",
    "column.state": "État",
    "column.hospitals": "Hôpitaux",
    "column.return": "Retour",
    "column.hospital": "Hôpital",
    "hospital.back": "Tout rendu avant (P90)",
    "hospital.after": "{p90} après le retour du courant",
    "legend": "Légende",
    "other": "English",
    "all": "Tous les points de situation",
    "current": "en vigueur",
    "kept": "remplacé, conservé",
    "and": "et",
}

EN = {
    # The page
    "title": "Situation report no. {number}",
    "exercise": "EXERCISE — EXERCISE — EXERCISE",
    "issued": "Issued {when}",
    "next": "Next report: {when}, or earlier if the situation changes.",
    "supersedes": "Supersedes report no. {number}, which is kept.",
    "drafted": "Drafted by Relève from measurements; to be approved by the crisis cell before it is published.",
    "todo": "for the crisis cell to complete before this is published",
    "words.by": "words of {by}, {when}",
    "signed": "Prepared by {prepared}; approved and published on the responsibility of {authorized}.",
    "unsigned": "Draft: nobody has approved it yet.",
    "edited": "Sections completed by a person: {sections}. What was measured has not been changed.",
    "page": "page {page} of {pages}",
    # For whom
    "audience.cell": "For the crisis cell",
    "audience.staff": "For staff",
    "audience.authorities": "For the authorities",
    "audience.public": "For the public and the press",
    # The headline
    "head.unmeasured": "No state has been measured yet: this report can say nothing about the services.",
    "head.cut": "Services down in at least one hospital: {down} of {all}. The restart has not begun.",
    "head.restart": "Restart under way. Services that answer in every hospital: {up} of {all}.",
    "head.back": "Every service answers in every hospital ({all} of {all}).",
    # Sections
    "section.back": "What works",
    "section.out": "What does not work, and until when",
    "section.hospitals": "Hospital by hospital",
    "section.care": "Care and expected patients",
    "section.emergency": "Emergencies and SAMU",
    "section.cause": "Cause: what is known, what is not known",
    "section.staff": "What staff must do",
    "section.advice": "What the public should do",
    "section.forecast": "Forecasts published",
    "section.restart": "Course of the restart",
    # States
    "state.normal": "working",
    "state.degraded": "degraded",
    "state.down": "down",
    "state.returning": "returning",
    "state.unknown": "not measured",
    # Services
    "service.everywhere": "{service}: {state} in every hospital ({count}).",
    "service.some": "{service}: {state} in {count} of {all} hospitals ({hospitals}).",
    "service.one": "{service}: {state} in 1 of {all} hospitals ({hospitals}).",
    "service.since": "{sentence} Since {when}.",
    "none.back": "No service is measured as working in every hospital.",
    "none.out": "No service is measured as down.",
    "unmeasured.services": "Not measured: {services}.",
    # Forecasts
    "span.clock": "Return: one chance in two before {p50}, nine chances in ten before {p90}.",
    "span.power": (
        "Return: one chance in two within {p50}, nine chances in ten within {p90}, counted from the return of: {power}."
    ),
    "span.public": "Return: nine chances in ten before {p90}.",
    "span.public.power": "Return: nine chances in ten within {p90} of the return of power.",
    "span.unknown": "Return: no forecast is possible, a person must act.",
    "span.none": "Return: no forecast has been made.",
    "essential": "Essential services. {span}",
    "last": "Last service. {span}",
    "provisional": "First estimate: nothing has been measured today yet, it stands on assumed durations.",
    "slower": "Starts take about {factor} times the assumed duration today; the forecast takes that into account.",
    "slip.held": "Announced ({issued}): essential services before {p90} (P90). Held: back at {back}.",
    "slip.missed": "Announced ({issued}): essential services before {p90} (P90). Not held: back at {back}.",
    "slip.past": "Announced ({issued}): essential services before {p90} (P90). Not held.",
    "slip.open": "Announced ({issued}): essential services before {p90} (P90). Not due yet.",
    "slip.power": "Announced ({issued}): essential services within {p90} of the return of: {power} (P90).",
    "slip.moved": "The forecast has moved {late} later than the one before.",
    "none.forecast": "No forecast was published before this report.",
    "span.noclock": "No clock time can be given before the return of: {power}.",
    # Care
    "care.open": "The Relève node answers in {open} of {all} hospitals: records can be read, entries can be made.",
    "care.closed": "The Relève node does not answer: {hospitals}. Use the paper procedure.",
    "care.unmeasured": "The state of the hospitals' nodes has not been measured.",
    "care.captured": (
        "Taken in at the hospitals since the loss: admissions {admissions}, results {results}, notes {notes}, "
        "other messages {others}."
    ),
    "care.owed": "Still to be written back to central systems: {owed}. Written back and accepted: {accepted}.",
    "care.refused": "Refused by a central system, to be settled by a person: {refused}.",
    "care.expected": (
        "Expected patients (appointments, theatres): not measured by Relève and not declared at this hour."
    ),
    "declared": "{words} (declared by {by}, {when})",
    # Emergencies
    "emergency.open": "The Relève node answers in {open} of the {all} hospitals that have an emergency department.",
    "emergency.undeclared": (
        "Emergency departments and SAMU: whether they are open is not measured by Relève and has not been "
        "declared at this hour."
    ),
    # Cause
    "cause.first": "{when}: first loss seen, {unit}.",
    "cause.back": "{when}: {unit}, there again after {length}.",
    "cause.explained": "Later losses that this one explains, by the model of the hosting centre: {count} of {all}.",
    "cause.unexplained": "Lost without depending on the first loss, and so still to be explained: {units}.",
    "cause.order": "The order of the losses is not certain below {every}, the interval between two measurements.",
    "cause.power": "The first loss is a power feed: these facts fit a power cut.",
    "cause.other": "The first loss is not a power feed.",
    "cause.nothing": "No loss was seen by the measurements: Relève knows nothing about the cause.",
    "cause.unknown": (
        "It is not known why this was lost: {first}. Log-ins, integrity of data and network traces have not been "
        "examined by Relève. Nothing here shows or excludes a malicious act."
    ),
    "cause.unknown.all": (
        "Log-ins, integrity of data and network traces have not been examined by Relève. Nothing here shows or "
        "excludes a malicious act."
    ),
    "cause.also": "{when}: another loss, {unit}.",
    # Staff
    "staff.unmeasured": "Follow your unit's downtime procedure until told otherwise.",
    "staff.cut.1": (
        "Read and enter in Relève: admissions, notes and results arrive there. The page shows the age of the data."
    ),
    "staff.cut.2": "Do not enter it again later: what is entered in Relève will be written back by itself.",
    "staff.restart.1": "Stay in Relève until the return of each service in your hospital has been announced.",
    "staff.restart.2": (
        "Do not enter again in a returned service what was entered in Relève: write-back is under way."
    ),
    "staff.back.1": "Return to usual work; if in doubt compare with Relève, which stays open.",
    "staff.back.2": "Settle the list of refused write-backs and provisional identities.",
    # The public
    "advice.emergency": "In a medical emergency call 15 or 112.",
    "advice.appointment": (
        "An appointment or an operation: follow what your hospital says; this page cancels nothing."
    ),
    # The restart
    "restart.up": "{when}: {unit}, back in {length}.",
    "restart.already": "{when}: {unit}, answers already.",
    "restart.came": "{when}: {unit}, returned.",
    "restart.failed": "{when}: {unit}, failed to start.",
    "restart.blocked": "{when}: {unit}, not started: something it needs has failed.",
    "restart.skipped": "{when}: {unit}, left out, decided by {by}.",
    "restart.checked": "{when}: {unit}, its integrity check passed.",
    "restart.doubted": "{when}: {unit}, its integrity check did not pass; nothing stands on it before a decision.",
    "restart.released": "{when}: {unit}, released to care ({where}), decided by {by}.",
    "restart.refused": "{when}: {unit}, not released to care ({where}), decided by {by}.",
    "restart.stepped": "{when}: {unit}, stopped again, decided by {by}.",
    "restart.unclean": "{when}: {unit}, lost its power before it was stopped; its integrity is to be checked.",
    "gate.waiting": "Answers; not yet released to care in {count} of {all} hospitals ({hospitals}).",
    "everywhere": "everywhere",
    "nobody": "nobody",
    "restart.total": "Elements back: {up} of {all}.",
    "none.restart": "The restart has not begun.",
    # What a probe saw
    "seen.refused": "nothing listens there",
    "seen.silent": "no answer in time",
    "seen.frozen": "accepts the connection and does not answer: frozen",
    "seen.weak": "works, with a fault",
    "seen.slow": "answers too slowly",
    "seen.flapping": "flapping",
    "seen.closed": "the connection was cut",
    "seen.wrong": "a wrong answer",
    "seen.starting": "says that it is not ready yet",
    "seen.battery": "on battery",
    "seen.unasked": "could not be asked",
    "seen.up": "answers in its protocol",
    # The public page, and what CAP calls it
    "public.title": "State of services",
    "public.measured": "Measured {when}.",
    "public.valid": "This page is rewritten all the time. If it is later than {when}, it is stale: do not rely on it.",
    "public.past": "Announced before {p90}: not held. A new forecast will follow.",
    "public.return": "Return announced",
    "public.none": "No situation report has been published yet.",
    "cap.event": "Outage of hospital information services",
    # The incident declaration
    "form.title": "Incident declaration: facts to carry over",
    "form.note": (
        "Facts gathered by Relève in the order of the questions of a declaration of a serious incident of information "
        "systems; to be read, completed and entered by the person who declares."
    ),
    "form.open": "to be completed",
    "form.declarant": "1. Organisation and declarant (responsible / prepared by)",
    "form.hospitals": "2. Hospitals concerned",
    "form.report": "3. Drawn up from",
    "form.began": "4. Beginning of the incident, as seen",
    "form.kind": "5. Kind of incident",
    "form.kind.measured": "Loss of information services, seen by measurements; cause: see 11.",
    "form.summary": "6. In one sentence",
    "form.impact": "7. Services concerned and times announced",
    "form.works": "8. Services that work",
    "form.care": "9. Effect on care, emergencies and SAMU",
    "form.measures": "10. Measures taken, degraded mode",
    "form.cause": "11. Cause: facts seen and what is not known",
    "form.return": "12. Return to normal",
    "form.data": "13. Personal data: loss or disclosure",
    "form.help": "14. Help asked for",
    "form.contact": "15. Person to call back (name, telephone)",
    # The evidence
    "evidence": "What these sentences stand on",
    "evidence.state": (
        "{service}, {state}: {count} of {all} hospitals ({hospitals}), measured between {first} and {last}."
    ),
    "evidence.states": "{count} measurements of services by hospital, taken between {first} and {last}.",
    "evidence.states.none": "No measurement of a service.",
    "evidence.unmeasured": "{service}: no measurement by {hospitals}.",
    "evidence.loss": "{unit}: missing since the measurement of {when}.",
    "evidence.back": "{unit}: missing since the measurement of {when}, found again at that of {back}.",
    "evidence.forecast": "Forecast of {when}, {runs} restarts simulated, from what was measured today.",
    "evidence.forecast.provisional": "Forecast of {when}, {runs} restarts simulated, on assumed durations.",
    "evidence.nodes": "Answers of the hospitals' nodes: {open} of {all}.",
    "evidence.counts": "Counts from the logs of the hospitals' nodes.",
    "evidence.declared": "Declared by {by}, {when}.",
    "evidence.estate": "Model of the hosting centre: what stands on {units}.",
    "evidence.journal": "Journal of the restart, {when}: {unit} ({kind}).",
    "evidence.losses": "Losses seen by the measurements: {count}.",
    # Tables and lists
    "column.service": "Service",
    "column.state": "State",
    "column.hospitals": "Hospitals",
    "column.return": "Return",
    "column.hospital": "Hospital",
    "hospital.back": "All back before (P90)",
    "hospital.after": "{p90} after the return of power",
    "legend": "Key",
    "other": "Français",
    "all": "All situation reports",
    "current": "in force",
    "kept": "superseded, kept",
    "and": "and",
}

#: French puts a space before its colons and semicolons that must not break, and has an apostrophe of its own.
FR = {key: text.replace(" :", "\u00a0:").replace(" ;", "\u00a0;").replace("'", "\u2019") for key, text in _FR.items()}

WORDS = {"fr": FR, "en": EN}

_DAYS = {
    "fr": ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_MONTHS = {
    "fr": (
        *("janvier", "février", "mars", "avril", "mai", "juin"),
        *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    ),
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
}


def local(at: Instant, zone: str) -> datetime:
    """Return an instant as the wall clock of a zone shows it."""
    return to_datetime(at).astimezone(ZoneInfo(zone))


def date_text(at: Instant, zone: str, lang: str) -> str:
    """Return a day and time: "samedi 3 août 2024 à 14:32", "Saturday 3 August 2024, 14:32"."""
    when = local(at, zone)
    day = f"{_DAYS[lang][when.weekday()]} {when.day} {_MONTHS[lang][when.month - 1]} {when.year}"
    return f"{day} à {when:%H:%M}" if lang == "fr" else f"{day}, {when:%H:%M}"


def clock_text(at: Instant, base: Instant, zone: str, lang: str, *, seconds: bool = False) -> str:
    """Return a time of day, with the day when it is another day than the base."""
    when, then = local(at, zone), local(base, zone)
    clock = f"{when:%H:%M:%S}" if seconds else f"{when:%H:%M}"
    if when.date() == then.date():
        return clock
    joint = " à " if lang == "fr" else ", "
    return f"{_DAYS[lang][when.weekday()]} {when.day} {_MONTHS[lang][when.month - 1]}{joint}{clock}"


def length_text(seconds: float) -> str:
    """Return a length of time, rounded up, so that nothing is promised too early: 8 s, 12 min, 2 h 05."""
    if seconds < SECONDS_MATTER_S:
        whole = ceil(seconds)
        text = f"{whole} s" if whole < 100 else f"{whole // 60} min {whole % 60:02d} s"
        return text.replace(" ", "\u00a0")
    minutes = ceil(seconds / 60)
    return (f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d}").replace(" ", "\u00a0")


def span_clocks(span: Span, issued_at: Instant, zone: str, lang: str) -> tuple[str, str]:
    """Return P50 and P90 as times of day, rounded up to what their distance makes meaningful."""
    seconds = span.p90_s < SECONDS_MATTER_S
    unit_us = 1_000_000 if seconds else 60_000_000
    clocks = []
    for offset_s in (span.p50_s, span.p90_s):
        at = -(-(issued_at + round(offset_s * 1e6)) // unit_us) * unit_us
        clocks.append(clock_text(at, issued_at, zone, lang, seconds=seconds))
    return clocks[0], clocks[1]


#: How the sentences of probes begin (recovery.probe, which speaks English to engineers), and which words say the same.
_BEGINNINGS = (
    ("nothing listens there", "refused"),
    ("it accepted the connection and did not answer", "frozen"),
    ("no answer within", "silent"),
    ("no connection within", "silent"),
    ("it hung up", "closed"),
    ("the connection broke", "closed"),
    ("it could not be asked", "unasked"),
    ("on battery", "battery"),
    ("on line power", "up"),
    ("it answers NOOP", "up"),
    ("it answers OPTIONS with 200", "up"),
    ("it answers select 1", "up"),
    ("it answers PING", "up"),
    ("it greets", "up"),
    ("it resolves", "up"),
    ("it binds and returns", "up"),
    ("it acknowledges our message", "up"),
)


def evidence_text(evidence: Bilingual | str, lang: str) -> str:
    """Return evidence in a language; in French, a probe's English sentence that has no words of ours is quoted."""
    if not isinstance(evidence, str):
        return evidence.in_language(lang)
    if lang == "en" or not evidence:
        return evidence
    state = next((state for beginning, state in _BEGINNINGS if evidence.startswith(beginning)), None)
    return in_french(evidence) or (FR[f"seen.{state}"] if state else f"«\u00a0{evidence}\u00a0»")


def seen(state: str, detail: str = "") -> Bilingual:
    """Return what a probe saw, for both languages.

    state   of a Reading
    detail  its sentence, which is English: quoted in French only where there are no words for it and the state alone
            says too little
    """
    french = FR.get(f"seen.{state}", state)
    said = in_french(detail)
    if said:
        french = f"{french}\u00a0: {said}" if state == "weak" else said
    elif detail and state in ("wrong", "weak"):
        french = f"{french} («\u00a0{detail}\u00a0»)"
    return Bilingual(french, detail or EN.get(f"seen.{state}", state))

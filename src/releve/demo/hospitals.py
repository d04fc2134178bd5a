"""The 38 hospitals of the group that went dark, as public facts: name, city, group. Nothing else here is real.

Names and groups stand on the group's own pages, an encyclopaedia and a public list of hospitals; cities are from
general knowledge and unverified. Patients, staff, numbers and messages of the demo are invented.
"""

from __future__ import annotations

from typing import NamedTuple


class Hospital(NamedTuple):
    """One hospital: the id that its node writes under, and how people call it."""

    id: str
    name: str
    city: str
    group: str


HOSPITALS: tuple[Hospital, ...] = (
    Hospital("H01", "Hôpital Cochin - Port-Royal", "Paris 14e", "Centre"),
    Hospital("H02", "Hôpital Hôtel-Dieu", "Paris 4e", "Centre"),
    Hospital("H03", "Hôpital Necker-Enfants malades", "Paris 15e", "Centre"),
    Hospital("H04", "Hôpital européen Georges-Pompidou", "Paris 15e", "Centre"),
    Hospital("H05", "Hôpital Corentin-Celton", "Issy-les-Moulineaux", "Centre"),
    Hospital("H06", "Hôpital Vaugirard - Gabriel-Pallez", "Paris 15e", "Centre"),
    Hospital("H07", "Hôpital Broca", "Paris 13e", "Centre"),
    Hospital("H08", "Hôpital La Collégiale", "Paris 5e", "Centre"),
    Hospital("H09", "Hôpital Bichat - Claude-Bernard", "Paris 18e", "Nord"),
    Hospital("H10", "Hôpital Beaujon", "Clichy", "Nord"),
    Hospital("H11", "Hôpital Louis-Mourier", "Colombes", "Nord"),
    Hospital("H12", "Hôpital Bretonneau", "Paris 18e", "Nord"),
    Hospital("H13", "Hôpital Lariboisière", "Paris 10e", "Nord"),
    Hospital("H14", "Hôpital Fernand-Widal", "Paris 10e", "Nord"),
    Hospital("H15", "Hôpital Saint-Louis", "Paris 10e", "Nord"),
    Hospital("H16", "Hôpital Robert-Debré", "Paris 19e", "Nord"),
    Hospital("H17", "Hôpital Paul-Doumer", "Labruyère (Oise)", "Nord"),
    Hospital("H18", "Hôpital Bicêtre", "Le Kremlin-Bicêtre", "Saclay"),
    Hospital("H19", "Hôpital Antoine-Béclère", "Clamart", "Saclay"),
    Hospital("H20", "Hôpital Paul-Brousse", "Villejuif", "Saclay"),
    Hospital("H21", "Hôpital Ambroise-Paré", "Boulogne-Billancourt", "Saclay"),
    Hospital("H22", "Hôpital Raymond-Poincaré", "Garches", "Saclay"),
    Hospital("H23", "Hôpital Sainte-Périne", "Paris 16e", "Saclay"),
    Hospital("H24", "Hôpital maritime de Berck", "Berck", "Saclay"),
    Hospital("H25", "Hôpital Henri-Mondor", "Créteil", "Mondor"),
    Hospital("H26", "Hôpital Albert-Chenevier", "Créteil", "Mondor"),
    Hospital("H27", "Hôpital Émile-Roux", "Limeil-Brévannes", "Mondor"),
    Hospital("H28", "Hôpital Dupuytren", "Draveil", "Mondor"),
    Hospital("H29", "Hôpital Georges-Clemenceau", "Champcueil", "Mondor"),
    Hospital("H30", "Hôpital Pitié-Salpêtrière", "Paris 13e", "Sorbonne"),
    Hospital("H31", "Hôpital Charles-Foix", "Ivry-sur-Seine", "Sorbonne"),
    Hospital("H32", "Hôpital Saint-Antoine", "Paris 12e", "Sorbonne"),
    Hospital("H33", "Hôpital Rothschild", "Paris 12e", "Sorbonne"),
    Hospital("H34", "Hôpital Tenon", "Paris 20e", "Sorbonne"),
    Hospital("H35", "Hôpital Armand-Trousseau", "Paris 12e", "Sorbonne"),
    Hospital("H36", "Hôpital Avicenne", "Bobigny", "Seine-Saint-Denis"),
    Hospital("H37", "Hôpital Jean-Verdier", "Bondy", "Seine-Saint-Denis"),
    Hospital("H38", "Hôpital René-Muret", "Sevran", "Seine-Saint-Denis"),
)

"""FHIR on the wire, tested as values."""

"""Doors: where the node meets sockets and callers, one file for each protocol.

A door speaks its protocol and keeps nothing; what is to be kept, found or asked is passed in as a callable. It answers
"kept" only after it has been told so.
"""

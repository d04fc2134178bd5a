"""Between hospitals: histories exchanged through two independent hubs, each a depot that may lose everything.

    names, permissions          how channels are called at a hub; what each site may do there
    authority, roster           certificates; the signed list of sites and their keys
    enrolment | access          the hub's side and the node's side of letting a site in
    hub, steward                one nats-server supervised, its streams made, counted and mended
    depot                       the four calls that the design uses
    decide                      what to do when a hub and the log differ: a table
    push, pull, link            the exchange itself, in the node's courier
    regain                      a node's own history back from the hubs, before it writes anything

Truth is each node's log. A hub's ack is a hint, never a licence to forget. No mirrors, no consumers, no leaf nodes.
"""

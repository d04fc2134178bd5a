"""The hosting centre: fourteen programs that need each other, each a process that speaks its real protocol.

    power        two feeds                NUT line protocol
    storage      volumes on a disk        HTTP
    names        name service             DNS
    directory    accounts of programs     LDAP
    database     rows                     PostgreSQL protocol, version 3, simple query
    record       the record application   MLLP in and out, its rows in the database
    laboratory   the laboratory system    MLLP out, its rows on its own volume
    engine       the interface engine     MLLP between those two and the hospitals
    portal       two result portals       HTTP
    mail         mail relay               SMTP
    telephone    telephone hub            SIP over UDP
    depot        hub A                    the product's own, because it stands here

A program that cannot reach what it needs says which, and ends with exit code 1: order matters here as it does in a real
centre. Where another program listens is asked of the name service each time. Nothing in here imports the product's
rooms: this is the rest of the world.
"""

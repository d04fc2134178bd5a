"""The seed night: an invented hospital group, one bad night, one seed number, nothing played by actors.

    night    the script: who is started, cut, killed, brought back, and when
    centre/  the programs of the hosting centre, each a process that speaks its real protocol
    feeder   a hospital's own admission desk and analyser, which keep working in the cut
    ward     the people at a hospital: they read all night, write notes, admit a person nobody knows
    account  what each sender sent and got acknowledged, on its own disk
    checker  the verdict, from the accounts and from outside

What happens flows one way: senders → accounts; nodes and hubs → files and FHIR; checker ← both. The checker never asks
Relève whether Relève is well.
"""

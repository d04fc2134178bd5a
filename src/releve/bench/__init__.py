"""The benchmarks: every figure beside a peer or a physical limit, both measured in the same run.

    intake   durable, translated, folded messages a second; beside python-hl7's server and "frame + fdatasync + ACK"
    chart    the chart page over HTTP, full node beside empty node, quiet and while intake runs at full speed
    plan     how near an order comes to what none can beat; beside OR-tools CP-SAT and the best known of PSPLIB
    forecast how often P90 held over simulated restarts, a third of them slower than believed; beside the plan's end
    battery  scripted cuts on a virtual clock: down clean before the battery is empty? beside the usual fixed rule

Absolute figures say something about one machine on one day; only the ratios are promised.
"""

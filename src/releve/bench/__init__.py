"""The benchmarks: every figure beside a peer or a physical limit, both measured in the same run.

    intake   durable, translated, folded messages a second; beside python-hl7's server and "frame + fdatasync + ACK"
    chart    the chart page over HTTP, full node beside empty node, quiet and while intake runs at full speed
    battery  scripted cuts on a virtual clock: down clean before the battery is empty? beside the usual fixed rule

Absolute figures say something about one machine on one day; only the ratios are promised.
"""

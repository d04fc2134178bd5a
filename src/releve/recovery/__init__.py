"""Recovery: back in the right order, as fast as the limits allow, with a forecast that learns.

dispatch    the one core that decides what starts next; plan, run, forecast and stop all ask it
plan        an Estate → order, reasons, critical path, bottleneck and lower bound
run         restart and shutdown for real: commands, probes, a journal as values
forecast    P50 and P90 per service from the durations of the day
probe       one file per protocol; a server that accepts and stays silent is down
"""

"""On battery: how long it lasts, when the stop must begin, and the guard that does it with nobody on site.

reading   what one UPS says at one moment, from the variables of NUT or the objects of the UPS-MIB
estimate  one discharge: what is left, reckoned three ways; the least counts
budget    which units lose their power and when, and how long their orderly stop takes, P95
vigil     the rule: readings in, lines of the journal and decisions out; pure
memory    what outlives a killed guard: the discharge, the stop in force, what batteries have shown
ask       reads a UPS over the network
guard     the programme: asks, listens to the vigil, stops for real, knows afterwards what was stopped clean
"""

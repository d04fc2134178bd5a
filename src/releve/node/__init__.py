"""A running node: the only place where everything meets.

    supervisor   binds the doors, forks the four posts, restarts the one that falls, dies with none left behind
    desk         HL7 v2 in; owns the log; the inner door for the other posts
    archive      folds the log into the views
    ward         pages, FHIR, health and metrics; reads the views
    courier      exchanges histories with the hubs, writes back, watches services

Four processes rather than four threads: a page is never behind a message in one interpreter, and the loss of one post
is not the loss of the node. They meet in files (the log and the views) and at the inner door, nowhere else.
"""

"""Checkpoints: the weights and what a Normalizer knows, from which a run goes on.

claim    whose the folder is, and for one run at a time marker, lock        before the network is built
find     which checkpoint is whole and of this run      manifest, identity  likewise
resume   compare connections, put weights back          rows, memory        when it stands
save     into a new folder, whole by rename             rows, folder        between two slices
"""

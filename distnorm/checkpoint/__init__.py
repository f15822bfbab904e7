"""Checkpoints: the weights and what a Normalizer knows, from which a run goes on.

find     which checkpoint is whole and of this job      folder, identity    before the network is built
resume   compare connections, put weights back          rows, memory        when it stands
save     into a new folder, whole by rename             rows, folder        between two slices
"""

"""Fuzzing: every reader of foreign bytes, fed with damaged and forged ones."""

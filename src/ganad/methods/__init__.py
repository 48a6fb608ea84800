"""The detectors, one file for each paper; ``ganad.registry`` lists them."""

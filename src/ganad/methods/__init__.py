"""Every detector, one file a paper and one file a baseline; ``ganad.registry`` lists them."""

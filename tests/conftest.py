import torch

# one thread: on a busy machine two wait for each other, and two test processes fill two cores
torch.set_num_threads(1)

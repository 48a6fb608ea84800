"""``python -m ganad``, and ``torchrun -m ganad fit ...``."""

from .cli.main import main

if __name__ == "__main__":
    main()

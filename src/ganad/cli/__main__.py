"""``python -m ganad.cli``."""

from .main import main

main()

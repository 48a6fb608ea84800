"""The scoring service, from request to answer.

``heads`` bounds connections, ``receiving`` reads bodies, ``bodies`` turns them into samples, ``batching`` gathers
those, ``engine`` scores them, ``answers`` says what came out and ``app`` holds the paths together.
"""

from .limits import Limits
from .server import serve

__all__ = ["Limits", "serve"]

"""listen: attach to any training loop in one line, and record or play what is measured."""

from gradmidi.session.listening import listen
from gradmidi.session.session import OWN_PORT, Session

__all__ = ["OWN_PORT", "Session", "listen"]

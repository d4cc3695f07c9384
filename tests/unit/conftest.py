"""Property tests take the time they take: this machine may be busy."""

from hypothesis import settings

settings.register_profile("keyturn", deadline=None)
settings.load_profile("keyturn")

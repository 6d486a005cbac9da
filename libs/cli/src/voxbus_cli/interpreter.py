"""How the Python that runs this was built.

The Makefile runs this file with each Python it finds, before anything is installed: it imports the standard library
alone.
"""

import platform
import sys
import sysconfig


def is_optimized() -> bool:
    """Whether it was built with profile-guided optimization, which saves a call a fifth of its processor time.

    The Pythons of distributions, in /usr, are; they say nothing of it in their configuration.
    """
    return sys.base_prefix == "/usr" or "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")


def described() -> str:
    """As in "Python 3.11.2", and "built without optimizations" where it was."""
    return f"Python {platform.python_version()}" + ("" if is_optimized() else ", built without optimizations")


if __name__ == "__main__":
    sys.exit(sys.version_info < (3, 11) or not is_optimized())
